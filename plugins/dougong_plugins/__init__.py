"""Dougong's first-party operators; they enter by the same door as a stranger's.

This module is the `dougong` entry point. It holds metadata only: torch is imported when an
operator is first used, not when it is listed.
"""

from __future__ import annotations

from dougong_plugins.activation import dougong_register_activation
from dougong_plugins.attention import dougong_register_attention
from dougong_plugins.backend import dougong_register_backend
from dougong_plugins.norm import dougong_register_norm
from dougong_plugins.optimizer import dougong_register_optimizer
from dougong_plugins.transform import dougong_register_transform

__all__ = [
    "dougong_register_activation",
    "dougong_register_attention",
    "dougong_register_backend",
    "dougong_register_norm",
    "dougong_register_optimizer",
    "dougong_register_transform",
]
