"""What others show of the hub: Atom feeds for readers, badges for a README."""

from __future__ import annotations
