"""Which runs a sample holds: a pure function, so that anybody can draw it again."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable


def choose(seed: str, ids: Iterable[str], share: float) -> list[str]:
    """Return the sample: of n ids the ceil(share * n) whose sha256(seed ":" id) are lowest.

    Args:
        seed: Not known before the ids were fixed.
        ids: What is drawn from, in any order.
        share: Above 0, at most 1.
    """
    ordered = sorted(ids, key=lambda each: (_digest(f"{seed}:{each}"), each))
    return ordered[: math.ceil(share * len(ordered))]


def digest(ids: Iterable[str]) -> str:
    """Return the hash that fixes what is drawn from: of the sorted ids, one a line."""
    return _digest("".join(f"{each}\n" for each in sorted(ids)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
