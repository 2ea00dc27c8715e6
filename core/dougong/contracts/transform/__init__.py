"""The transform contracts."""

from __future__ import annotations
