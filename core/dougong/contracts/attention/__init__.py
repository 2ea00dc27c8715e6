"""The attention contracts: exact and approximate."""

from __future__ import annotations
