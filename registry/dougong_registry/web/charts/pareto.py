"""Pareto scatter for approximate contracts: error against speed-up, the frontier drawn through."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from django.utils.safestring import SafeString

from dougong_registry.web import formats
from dougong_registry.web.charts import crowd, labels, plane, svg
from dougong_registry.web.charts.scale import Scale, log_scale, ratio_scale


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ParetoPoint:
    """One operator: how wrong and how fast."""

    label: str
    error: float
    """Relative L2 error; 0 is drawn at the left edge."""
    speedup: float
    on_frontier: bool
    """No other point is both faster and more exact."""
    note: str = ""
    href: str = ""


def pareto_chart(
    points: Sequence[ParetoPoint], *, title: str, baseline: str = "baseline"
) -> SafeString:
    """Draw error (log, to the right is worse) against speed-up (log, up is better).

    Args:
        points: At least one; speed-ups positive, errors not negative.
        title: Names the chart to a screen reader.
        baseline: What the 1.0× line stands for.
    """
    best = sorted((point for point in points if point.on_frontier), key=lambda point: point.error)
    names = ", ".join(point.label for point in best)
    description = (
        f"Relative error against speed-up over {baseline} for {len(points)} operators. "
        f"On the frontier: {names}."
    )
    sizes = (("wide", 880.0, 400.0), ("narrow", 360.0, 360.0))
    return svg.join(
        [
            _draw(points, best, layout, (width, height), title, description)
            for layout, width, height in sizes
        ]
    )


def _draw(
    points: Sequence[ParetoPoint],
    best: Sequence[ParetoPoint],
    layout: str,
    size: tuple[float, float],
    title: str,
    description: str,
) -> SafeString:
    width, height = size
    left, right, top, bottom = 52.0, width - 16, 34.0, height - 52
    across = log_scale([point.error for point in points], left + 12, right - 12)
    up = ratio_scale([point.speedup for point in points], bottom, top)
    area: labels.Box = (left, top, right, bottom)
    body = plane.axes(
        across,
        up,
        area,
        named=formats.power,
        apart=(56, 34),
        titles=("relative error → worse", "speed-up ↑ better"),
    )
    body.append(_line(best, across, up, right))
    body += crowd.crowd(
        [
            crowd.Mark(
                x=across(max(point.error, across.low)),
                y=up(point.speedup),
                label=point.label,
                tip=_tip(point),
                leads=point.on_frontier,
                href=point.href,
            )
            for point in points
        ],
        area,
    )
    return svg.frame(layout, width, height, title=title, description=description, body=body)


def _line(best: Sequence[ParetoPoint], across: Scale, up: Scale, right: float) -> SafeString:
    """Draw the frontier as a staircase: a point stays the best buy until a faster one appears."""
    path = ""
    for point in best:
        x, y = across(max(point.error, across.low)), up(point.speedup)
        path += f"H{x:.1f}V{y:.1f}" if path else f"M{x:.1f} {y:.1f}"
    return svg.node("path", d=f"{path}H{right:.1f}", class_="frontier")


def _tip(point: ParetoPoint) -> str:
    tip = (
        f"{point.label}: {formats.ratio(point.speedup)}, "
        f"relative error {formats.scientific(point.error)}"
    )
    return f"{tip}. {point.note}" if point.note else tip
