"""The walls around untrusted code: namespaces, a user of its own, a call filter, hard limits."""

from __future__ import annotations

from dougong_ci.sandbox.box import Box
from dougong_ci.sandbox.cache import Cache
from dougong_ci.sandbox.command import Mounts, tuning
from dougong_ci.sandbox.tier import Tier, probe

__all__ = ["Box", "Cache", "Mounts", "Tier", "probe", "tuning"]
