"""The walls around untrusted code: bubblewrap namespaces, a real unprivileged user, hard limits."""

from __future__ import annotations

from dougong_ci.sandbox.box import Box, Mounts
from dougong_ci.sandbox.tier import Tier, probe

__all__ = ["Box", "Mounts", "Tier", "probe"]
