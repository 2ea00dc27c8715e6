"""Who stands above whom: pure functions over typed rows."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Sequence

from dougong_registry.boards.rows import ParetoPoint, RankedRow

MIN_COVERAGE = 0.9
APPROXIMATE = ("attention.approx@", "transform.")
"""Contracts that allow a measured loss: they are read by error against speed."""


def is_approximate(contract: str) -> bool:
    """Whether operators of the contract trade exactness for speed."""
    return contract.startswith(APPROXIMATE)


def rank(rows: Sequence[RankedRow]) -> tuple[RankedRow, ...]:
    """Number the rows: rank_p = 1 + #{q : ci_low(q) > ci_high(p)}, best first.

    Two operators whose intervals overlap are not told apart, so one never stands below the other
    for it. Ties are listed by coverage, then error, then name.
    """
    lows = sorted(row.ci_low for row in rows)
    ranked = [
        dataclasses.replace(row, rank=1 + len(lows) - bisect.bisect_right(lows, row.ci_high))
        for row in rows
    ]
    return tuple(
        sorted(
            ranked,
            key=lambda row: (
                row.rank,
                -row.speedup,
                -row.coverage,
                float("inf") if row.error_share is None else row.error_share,
                row.operator,
            ),
        )
    )


def pareto(rows: Sequence[RankedRow]) -> tuple[ParetoPoint, ...]:
    """Return error against speed, marking the points that no other one dominates."""
    measured = sorted(
        ((row.relative_l2, -row.speedup, row) for row in rows if row.relative_l2 is not None),
        key=lambda item: item[:2],
    )
    points = []
    fastest = 0.0
    for relative_l2, _, row in measured:
        points.append(
            ParetoPoint(
                operator=row.operator,
                run_id=row.run_id,
                relative_l2=relative_l2,
                speedup=row.speedup,
                on_frontier=row.speedup > fastest,
            )
        )
        fastest = max(fastest, row.speedup)
    return tuple(points)
