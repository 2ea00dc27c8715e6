"""Quality kept against speed-up of one approximate operator: a point a length, joined in order."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from django.utils.safestring import SafeString

from dougong_registry.web import formats
from dougong_registry.web.charts import labels, svg
from dougong_registry.web.charts.scale import Scale, ratio_scale, ratio_ticks


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeptPoint:
    """One length: how much is kept and how fast it is."""

    label: str
    retained: float
    """Share of the exact operator's quality on the worst task, 0 to 1."""
    speedup: float
    note: str = ""


_STEP = 0.1
"""Between the ticks of quality."""


def kept_chart(
    points: Sequence[KeptPoint], *, title: str, baseline: str = "the exact baseline"
) -> SafeString:
    """Draw quality (to the right is better) against speed-up (log, up is better).

    Args:
        points: At least one, shortest length first; speed-ups positive.
        title: Names the chart to a screen reader.
        baseline: What the 1.0× line stands for.
    """
    said = "; ".join(
        f"{point.label}: {formats.percent(point.retained)} kept at {formats.ratio(point.speedup)}"
        for point in points
    )
    description = f"Quality kept against speed-up over {baseline}, by length. {said}."
    sizes = (("wide", 880.0, 340.0), ("narrow", 360.0, 340.0))
    return svg.join(
        [
            _draw(points, layout, (width, height), title, description)
            for layout, width, height in sizes
        ]
    )


def _draw(
    points: Sequence[KeptPoint],
    layout: str,
    size: tuple[float, float],
    title: str,
    description: str,
) -> SafeString:
    width, height = size
    area: labels.Box = (52.0, 34.0, width - 16, height - 52)
    left, top, right, bottom = area
    least = math.floor(min(0.9, *(point.retained for point in points)) / _STEP) * _STEP
    across = Scale(max(least, 0.0), 1.0, left + 12, right - 24)
    up = ratio_scale([point.speedup for point in points], bottom, top)
    places = [(across(point.retained), up(point.speedup)) for point in points]
    body = _axes(across, up, area)
    joined = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    body.append(svg.node("path", d=f"M{joined}", class_="frontier"))
    taken: list[labels.Box] = [(x - 7, y - 7, x + 7, y + 7) for x, y in places]
    for point, place in zip(points, places, strict=True):
        body.append(_mark(point, place, taken, area))
    return svg.frame(layout, width, height, title=title, description=description, body=body)


def _axes(across: Scale, up: Scale, area: labels.Box) -> list[SafeString]:
    left, top, right, bottom = area
    body = []
    count = round((across.high - across.low) / _STEP)
    every = max(1, round(count * 44 / (across.end - across.start)))
    for index in range(count, -1, -every):
        tick = across.low + index * _STEP
        x = across(tick)
        body.append(svg.line(x, top, x, bottom, "grid"))
        body.append(svg.text(x, bottom + 18, f"{tick:.0%}", "tick", "middle"))
    for speedup in ratio_ticks(up, 34):
        y = up(speedup)
        body.append(svg.line(left, y, right, y, "one" if speedup == 1 else "grid"))
        body.append(svg.text(left - 8, y + 4, f"{speedup:g}×", "tick", "end"))
    body.append(svg.text(right, bottom + 40, "quality kept → better", "tick strong", "end"))
    body.append(svg.text(4, top - 16, "speed-up ↑ better", "tick strong"))
    return body


def _mark(
    point: KeptPoint, place: tuple[float, float], taken: list[labels.Box], area: labels.Box
) -> SafeString:
    x, y = place
    tip = (
        f"{point.label}: {formats.percent(point.retained)} kept, {formats.ratio(point.speedup)}"
        f"{'. ' if point.note else ''}{point.note}"
    )
    marks = [
        svg.node("circle", cx=x, cy=y, r=12, class_="target"),
        svg.node("circle", cx=x, cy=y, r=6.5, class_="dot"),
    ]
    if spot := labels.free_spot(point.label, place, taken, area, falling=True):
        label_x, label_y, anchor = spot
        marks.append(svg.text(label_x, label_y, point.label, "", anchor))
    return svg.node("g", svg.hit(tip, *marks), class_="point on-frontier")
