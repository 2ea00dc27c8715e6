"""Means over starts with their intervals, as the judge writes them and the hub computes them again.

A training never reaches its target from some starts: such a value is None, and stands beside the
mean of the others instead of in it.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence

_T975 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)
"""Two-sided 95 % points of Student's t with 1, 2, ... degrees of freedom; 2.23 beyond."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean over starts; its interval is None of fewer than two, it itself of none."""

    mean: float | None
    ci_low: float | None
    ci_high: float | None


def mean_of(values: Sequence[float | None]) -> Mean:
    """Return the mean of what was reached, with its 95 % interval."""
    reached = [float(value) for value in values if value is not None]
    low, high = interval_95(reached) if len(reached) > 1 else (None, None)
    return Mean(mean=statistics.fmean(reached) if reached else None, ci_low=low, ci_high=high)


def interval_95(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of at least two independent draws, by Student's t."""
    n, mean = len(values), statistics.fmean(values)
    half = _T975[min(n - 2, len(_T975) - 1)] * statistics.stdev(values) / math.sqrt(n)
    return mean - half, mean + half
