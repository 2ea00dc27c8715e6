"""The optimizer contract and the formula of each variant."""

from __future__ import annotations
