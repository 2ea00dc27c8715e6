"""Interval (forest) chart of speed-ups: one row an operator, the 1.0× line in the middle of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from django.utils.safestring import SafeString

from dougong_registry.web import formats
from dougong_registry.web.charts import svg
from dougong_registry.web.charts.scale import Scale, ratio_scale, ratio_ticks


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A speed-up over the baseline with its bootstrap interval."""

    label: str
    value: float
    low: float
    high: float
    rank: int | None = None
    note: str = ""
    """A second line for the tooltip: provider, hardware, coverage."""
    href: str = ""

    @property
    def side(self) -> str:
        """`faster` or `slower` where the whole interval is, else `even`."""
        if self.low > 1:
            return "faster"
        return "slower" if self.high < 1 else "even"


@dataclasses.dataclass(frozen=True, slots=True)
class _Layout:
    name: str
    width: float
    left: float
    right: float
    row: float
    value: float
    """Right edge of the column of values."""


_SIZE = 14.0
"""Font size of labels."""
_WIDE = _Layout("wide", 880, 262, 706, 34, 774)
_MID = _Layout("mid", 580, 160, 416, 34, 478)
_NARROW = _Layout("narrow", 360, 14, 346, 52, 346)


def forest_chart(rows: Sequence[Interval], *, title: str, baseline: str = "baseline") -> SafeString:
    """Draw speed-ups in the order given, fastest first being the custom.

    Args:
        rows: At least one interval; values must be positive.
        title: Names the chart to a screen reader.
        baseline: What the 1.0× line stands for.
    """
    best = max(rows, key=lambda row: row.value)
    description = (
        f"{len(rows)} speed-ups over {baseline} with 95% intervals, on a logarithmic axis. "
        f"The highest is {best.label} at {formats.ratio(best.value)}."
    )
    return svg.join(
        [_draw(rows, layout, title, description, baseline) for layout in (_WIDE, _MID, _NARROW)]
    )


def _draw(
    rows: Sequence[Interval], layout: _Layout, title: str, description: str, baseline: str
) -> SafeString:
    top, bottom = 30.0, 30.0 + layout.row * len(rows)
    values = [value for row in rows for value in (row.low, row.value, row.high)]
    scale = ratio_scale(values, layout.left, layout.right)
    body = _axis(scale, layout, top, bottom, baseline)
    for index, row in enumerate(rows):
        body.append(_row(row, scale, layout, top + layout.row * index))
    return svg.frame(
        layout.name, layout.width, bottom + 28, title=title, description=description, body=body
    )


def _axis(
    scale: Scale, layout: _Layout, top: float, bottom: float, baseline: str
) -> list[SafeString]:
    one = scale(1.0)
    bands = _bands(layout, top, bottom)
    body = [svg.rect(one, high, layout.right - one, low - high, "zone") for high, low in bands]
    for tick in ratio_ticks(scale, 48 if layout.name != "narrow" else 44):
        x = scale(tick)
        kind = "one" if tick == 1 else "grid"
        body += [svg.line(x, high, x, low, kind) for high, low in bands]
        body.append(svg.text(x, bottom + 18, f"{tick:g}×", "tick", "middle"))
    anchor = "middle"
    half = svg.width_of(baseline, 12) / 2
    if one - half < 4:
        anchor = "start"
    elif one + half > layout.width - 4:
        anchor = "end"
    body.append(svg.text(one, top - 12, baseline, "tick strong", anchor))
    return body


def _bands(layout: _Layout, top: float, bottom: float) -> list[tuple[float, float]]:
    """Return where the axis is drawn: in the narrow chart only beneath each row's label."""
    if layout.name != "narrow":
        return [(top, bottom)]
    rows = round((bottom - top) / layout.row)
    return [(top + layout.row * i + 24, top + layout.row * (i + 1)) for i in range(rows)]


def _row(row: Interval, scale: Scale, layout: _Layout, top: float) -> SafeString:
    wide = layout.name != "narrow"
    y = top + (layout.row / 2 if wide else layout.row - 16)
    label_y = y + 5 if wide else top + 18
    short = formats.ratio(row.value)
    tip = f"{row.label}: {short}, 95% interval {formats.interval(row.low, row.high)}"
    if row.note:
        tip = f"{tip}. {row.note}"
    rank = f"{row.rank}" if row.rank is not None else ""
    indent = 26 if rank else 0
    room = (layout.left - 12 if wide else layout.right - 84) - indent
    marks = [
        svg.rect(0, top + 2, layout.width, layout.row - 4, "band", 4),
        svg.text(indent + (2 if wide else 14), label_y, svg.fit(row.label, room, _SIZE)),
        svg.line(scale(row.low), y, scale(row.high), y, "whisker"),
        svg.line(scale(row.low), y - 5, scale(row.low), y + 5, "whisker"),
        svg.line(scale(row.high), y - 5, scale(row.high), y + 5, "whisker"),
        svg.node("circle", cx=scale(row.value), cy=y, r=4.5, class_="dot"),
        svg.text(layout.value, label_y, short, "value strong", "end"),
    ]
    if wide:
        span = formats.interval(row.low, row.high)
        marks.append(svg.text(layout.width - 4, label_y, span, "value", "end"))
    if rank:
        marks.insert(1, svg.text(20 if wide else 32, label_y, rank, "rank", "end"))
    return svg.node("g", svg.link(row.href, svg.hit(tip, *marks)), class_=f"row {row.side}")
