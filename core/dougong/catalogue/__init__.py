"""What is installed: every operator that a plugin registers, and every plugin that failed to."""

from __future__ import annotations

from dougong.catalogue.entry import Broken, Entry
from dougong.catalogue.listing import Catalogue

__all__ = ["Broken", "Catalogue", "Entry"]
