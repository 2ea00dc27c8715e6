"""What rows of quality say together: margins, the worst task, the line of the gate."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from dougong_ci.report.verdict import QualityRow

MARGIN = 0.02
"""Nats a byte that may be lost by what is called non-inferior."""
_T95 = (6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83, 1.81, 1.80, 1.78, 1.77, 1.76, 1.75)
"""One-sided 95 % points of Student's t with 1, 2, ... degrees of freedom; 1.75 beyond."""


def upper_95(differences: Sequence[float]) -> float:
    """Return the upper end of the one-sided 95 % interval of the mean, by Student's t.

    Args:
        differences: At least two, of independent draws.
    """
    n = len(differences)
    t = _T95[min(n - 2, len(_T95) - 1)]
    return statistics.fmean(differences) + t * statistics.stdev(differences) / math.sqrt(n)


def non_inferiority(differences: Sequence[float]) -> tuple[float, str]:
    """Return the upper 95 % bound of a loss difference in nats, and the finding in words."""
    upper = upper_95(differences)
    if upper <= MARGIN:
        return upper, f"non-inferior: loss {upper:+.3f} at most, margin {MARGIN}"
    return upper, f"inferior: loss up to {upper:+.3f}, margin {MARGIN}"


def share(score: float, blind: float, exact: float) -> float:
    """Return where a score lies between no attention (0) and exact (1)."""
    return min(1.0, max(0.0, (score - blind) / (exact - blind)))


def at_most(mean: float, questions: int) -> float:
    """Return the upper 95 % bound (one-sided, Wilson) of a share of right answers.

    With few questions a bad draw is no proof: what is held to a floor is this bound.
    """
    z = 1.645
    middle = mean + z * z / (2 * questions)
    spread = z * math.sqrt(mean * (1 - mean) / questions + (z / (2 * questions)) ** 2)
    return (middle + spread) / (1 + z * z / questions)


def worst_of(rows: Sequence[QualityRow], length: int | None = None) -> QualityRow | None:
    """Return the task of which least is retained, at one length or at all; None without tasks.

    Rows about the output are errors, not tasks.
    """
    mine = [
        row
        for row in rows
        if row.task != "output" and (length is None or row.params.get("length") == length)
    ]
    return min(mine, key=lambda row: row.retained, default=None)


def failure(rows: Sequence[QualityRow]) -> str:
    """Return why the rows fail the gate: the worst one below its floor; empty where none is."""
    failed = [row for row in rows if not row.passed]
    if not failed:
        return ""
    worst = min(failed, key=lambda row: row.retained)
    return f"{len(failed)} of {len(rows)} rows below their floor: {worst.reason}"


def summary(rows: Sequence[QualityRow]) -> str:
    """Return one line about rows that pass."""
    worst = worst_of(rows)
    if worst is None:
        return f"{len(rows)} rows, none of a task"
    at = f" at {worst.params['length']} tokens" if "length" in worst.params else ""
    return f"worst of {len(rows)} rows: {worst.task}{at} retains {worst.retained:.0%} of exact"
