"""Who stands above whom: pure functions over typed rows."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dougong_registry.boards.rows import ParetoPoint

MIN_COVERAGE = 0.9
APPROXIMATE = ("attention.approx@", "transform.")
"""Contracts that allow a measured loss: they are read by error against speed."""


def is_approximate(contract: str) -> bool:
    """Whether operators of the contract trade exactness for speed."""
    return contract.startswith(APPROXIMATE)


class Standing(NamedTuple):
    """What ranks one operator of a board, and what places it in the plane of error and speed."""

    id: int
    operator: str
    run_id: str
    speedup: float
    ci_low: float
    ci_high: float
    coverage: float
    error_share: float | None
    relative_l2: float | None
    """How far from exact."""


def rank(entries: Sequence[Standing]) -> list[tuple[int, int]]:
    """Return (rank, id) of the entries, best first: rank_p = 1 + #{q : ci_low(q) > ci_high(p)}.

    Two operators whose intervals overlap are not told apart, so one never stands below the other
    for it. Ties are listed by speed-up, coverage, error, then name.
    """
    lows = sorted(entry.ci_low for entry in entries)
    placed = sorted(
        (
            1 + len(lows) - bisect.bisect_right(lows, entry.ci_high),
            -entry.speedup,
            -entry.coverage,
            float("inf") if entry.error_share is None else entry.error_share,
            entry.operator,
            entry.id,
        )
        for entry in entries
    )
    return [(row[0], row[-1]) for row in placed]


def pareto(entries: Iterable[Standing], most: int | None = None) -> tuple[ParetoPoint, ...]:
    """Return error against speed, marking the points that no other one dominates.

    Args:
        entries: What is ranked; what has no error is left out.
        most: How many of the dominated points to return, the fastest; all of them without it.
    """
    measured = sorted(
        (entry.relative_l2, -entry.speedup, entry.operator, entry.run_id)
        for entry in entries
        if entry.relative_l2 is not None
    )
    best, fastest = set(), 0.0
    for number, (_, slowness, *_names) in enumerate(measured):
        if -slowness > fastest:
            best.add(number)
            fastest = -slowness
    rest = sorted(row[1] for number, row in enumerate(measured) if number not in best)
    slowest = rest[most - 1] if most is not None and len(rest) > most else math.inf
    return tuple(
        ParetoPoint(
            operator=operator,
            run_id=run_id,
            relative_l2=relative_l2,
            speedup=-slowness,
            on_frontier=number in best,
        )
        for number, (relative_l2, slowness, operator, run_id) in enumerate(measured)
        if number in best or slowness <= slowest
    )
