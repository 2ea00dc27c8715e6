"""From the scores of an operator over time to the marks that a chart draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.urls import reverse
from django.utils.safestring import SafeString

from dougong_registry.boards.pages import HistoryPoint
from dougong_registry.web import charts

DRAWN = 12
"""Scores drawn; the table has all."""


def longest_series(points: Sequence[HistoryPoint]) -> list[HistoryPoint]:
    """Return the points of the machine, dtype and mode that has most, oldest first."""
    counted = Counter(_series(point) for point in points)
    longest = max(counted, key=lambda series: counted[series], default=None)
    return [point for point in points if _series(point) == longest]


def history_chart(points: Sequence[HistoryPoint]) -> SafeString:
    """Draw a series, oldest first."""
    return charts.forest_chart(
        [
            charts.Interval(
                label=f"{point.version} · torch {point.torch or 'unknown'}",
                value=point.speedup,
                low=point.ci_low,
                high=point.ci_high,
                note=f"judged {point.recorded_at:%Y-%m-%d}",
                href=reverse("run", args=[point.run_id]),
            )
            for point in points[-DRAWN:]
        ],
        title="Speed-up by release and torch",
    )


def _series(point: HistoryPoint) -> tuple[str, str, str]:
    return point.hardware_class, point.dtype, point.mode
