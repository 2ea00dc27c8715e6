"""The indexers that learn: which there are, and how each is made."""

from __future__ import annotations

from dougong_plugins.attention.dsa.lightning import Lightning, Sizes
from dougong_plugins.attention.dsa.lowrank import LowRank

Learned = Lightning | LowRank

KINDS: dict[str, type[Learned]] = {"low-rank": LowRank, "lightning": Lightning}


def made(kind: str, sizes: Sizes) -> Learned:
    """Return a new indexer.

    Raises:
        ValueError: no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"an indexer that learns must be of {', '.join(KINDS)}, got {kind!r}")
    return KINDS[kind](sizes)


def kind_of(indexer: Learned) -> str:
    """Return the name of an indexer's kind."""
    return next(kind for kind, each in KINDS.items() if type(indexer) is each)
