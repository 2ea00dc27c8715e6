"""`dougong-hub token`: the older name of `dougong-hub tokens`."""

from __future__ import annotations

from dougong_registry.people.management.commands.tokens import Command

__all__ = ["Command"]
