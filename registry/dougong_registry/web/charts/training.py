"""What training reached against how many steps it took to the target: fewer and lower is better."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from django.utils.safestring import SafeString

from dougong_registry.web import formats
from dougong_registry.web.charts import crowd, labels, svg
from dougong_registry.web.charts.scale import Scale, decade_ticks, log_scale, time_scale, time_ticks


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainedPoint:
    """One optimizer on one task."""

    label: str
    steps: float
    """To the target."""
    loss: float
    """At the end."""
    note: str = ""
    href: str = ""


def training_chart(points: Sequence[TrainedPoint], *, title: str) -> SafeString:
    """Draw steps to the target (log, to the right is slower) against final loss (up is worse).

    Args:
        points: At least one; both numbers positive.
        title: Names the chart to a screen reader.
    """
    best = _frontier(points)
    names = ", ".join(point.label for point in best)
    description = (
        f"Steps to the target against final loss of {len(points)} optimizers. "
        f"Nothing is both quicker and lower than: {names}."
    )
    sizes = (("wide", 880.0, 400.0), ("narrow", 360.0, 360.0))
    return svg.join(
        [
            _draw(points, best, layout, (width, height), title, description)
            for layout, width, height in sizes
        ]
    )


def _frontier(points: Sequence[TrainedPoint]) -> list[TrainedPoint]:
    """Return what nothing beats on both, the quickest first."""
    best: list[TrainedPoint] = []
    for point in sorted(points, key=lambda point: (point.steps, point.loss)):
        if not best or point.loss < best[-1].loss:
            best.append(point)
    return best


def _draw(
    points: Sequence[TrainedPoint],
    best: Sequence[TrainedPoint],
    layout: str,
    size: tuple[float, float],
    title: str,
    description: str,
) -> SafeString:
    width, height = size
    area: labels.Box = (52.0, 34.0, width - 16, height - 52)
    left, top, right, bottom = area
    across = log_scale([point.steps for point in points], left + 12, right - 12)
    up = time_scale([point.loss for point in points], bottom, top)
    body = _axes(across, up, area)
    body += crowd.crowd(
        [
            crowd.Mark(
                x=across(point.steps),
                y=up(point.loss),
                label=point.label,
                tip=_tip(point),
                leads=point in best,
                href=point.href,
            )
            for point in sorted(points, key=lambda point: point.loss)
        ],
        area,
        falling=True,
    )
    return svg.frame(layout, width, height, title=title, description=description, body=body)


def _axes(across: Scale, up: Scale, area: labels.Box) -> list[SafeString]:
    left, top, right, bottom = area
    body = []
    for tick in decade_ticks(across, 44):
        body.append(svg.line(across(tick), top, across(tick), bottom, "grid"))
        body.append(svg.text(across(tick), bottom + 18, f"{tick:,g}", "tick", "middle"))
    for tick in time_ticks(up, 30):
        if up.low <= tick <= up.high:
            body.append(svg.line(left, up(tick), right, up(tick), "grid"))
            body.append(svg.text(left - 8, up(tick) + 4, f"{tick:g}", "tick", "end"))
    body.append(svg.text(right, bottom + 40, "steps to the target → slower", "tick strong", "end"))
    body.append(svg.text(4, top - 16, "final loss ↑ worse", "tick strong"))
    return body


def _tip(point: TrainedPoint) -> str:
    tip = f"{point.label}: {point.steps:,.0f} steps, loss {formats.three_digits(point.loss)}"
    return f"{tip}. {point.note}" if point.note else tip
