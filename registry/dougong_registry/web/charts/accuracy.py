"""Accuracy chart: each error as a share of the bound it had to stay under."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from django.utils.safestring import SafeString

from dougong_registry.web import formats
from dougong_registry.web.charts import svg
from dougong_registry.web.charts.scale import Scale, decade_ticks, log_scale


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyMark:
    """One workload, dtype and direction."""

    label: str
    share: float
    """Error divided by its bound; above 1 it failed."""
    native_share: float
    """The same for the trusted implementation."""
    passed: bool


def accuracy_chart(rows: Sequence[AccuracyMark], *, title: str) -> SafeString:
    """Draw shares of the bound on a log axis; the bound is the line at 1.

    Args:
        rows: At least one, worst first being the custom.
        title: Names the chart to a screen reader.
    """
    failed = sum(not row.passed for row in rows)
    description = (
        f"Largest error as a share of its bound for {len(rows)} checks, "
        f"{failed} of them beyond it. Hollow marks are the trusted implementation."
    )
    sizes = (("wide", 880.0, 320.0, 22.0), ("narrow", 360.0, 12.0, 38.0))
    return svg.join(
        [
            _draw(rows, layout, width, left, row, title, description)
            for layout, width, left, row in sizes
        ]
    )


def _draw(
    rows: Sequence[AccuracyMark],
    layout: str,
    width: float,
    left: float,
    step: float,
    title: str,
    description: str,
) -> SafeString:
    right, top = width - 64, 28.0
    if layout == "narrow":
        right = width - 12
    bottom = top + step * len(rows)
    values = [value for row in rows for value in (row.share, row.native_share) if value > 1e-4]
    scale = log_scale([*values, 1.0], left + 8, right)
    bound = scale(1.0)
    body = [svg.rect(bound, top, right - bound, bottom - top, "beyond")]
    for tick in decade_ticks(scale, 52):
        x = scale(tick)
        body.append(svg.line(x, top, x, bottom, "one" if tick == 1 else "grid"))
        if tick != 1:
            body.append(svg.text(x, top - 10, f"{tick * 100:g}%", "tick", "middle"))
    anchor = "end" if bound > right - 30 else "middle"
    body.append(svg.text(bound, top - 10, "bound", "tick strong", anchor))
    for index, row in enumerate(rows):
        body.append(_row(row, scale, layout, left, (right, width), (top + step * index, step)))
    return svg.frame(layout, width, bottom + 6, title=title, description=description, body=body)


def _row(
    row: AccuracyMark,
    scale: Scale,
    layout: str,
    left: float,
    ends: tuple[float, float],
    place: tuple[float, float],
) -> SafeString:
    top, step = place
    wide = layout == "wide"
    y = top + (step / 2 if wide else step - 10)
    share = formats.percent(row.share)
    x, native = (scale(max(value, scale.low)) for value in (row.share, row.native_share))
    tip = (
        f"{row.label}: error {share} of its bound, "
        f"trusted implementation {formats.percent(row.native_share)}"
    )
    label_room = left - 10 if wide else ends[0] - left - 60
    marks = [
        svg.rect(0, top, ends[1], step, "target"),
        svg.text(
            0 if wide else left, y + 4 if wide else top + 15, svg.fit(row.label, label_room, 13)
        ),
        svg.line(left, y, x, y, "stem"),
        svg.node("circle", cx=native, cy=y, r=3.5, class_="native"),
        svg.node("circle", cx=x, cy=y, r=4.5, class_="dot"),
        svg.text(ends[1] if wide else ends[0], y + 4 if wide else top + 15, share, "value", "end"),
    ]
    return svg.node("g", svg.hit(tip, *marks), class_="row passed" if row.passed else "row failed")
