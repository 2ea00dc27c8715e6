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
        lines = "".join([f"M{x:.1f} {high:g}V{low:g}" for high, low in bands])
        body.append(svg.node("path", d=lines, class_=kind))
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
    indent = 26 if row.rank is not None else 0
    room = (layout.left - 12 if wide else layout.right - 84) - indent
    label = svg.escaped(svg.fit(row.label, room, _SIZE))
    short = formats.ratio(row.value)
    low, value, high = scale.each((row.low, row.value, row.high))
    # One piece, and not node by node: a page draws a hundred of these rows three times.
    marks = (
        f'<rect x="0" y="{top + 2:g}" width="{layout.width:g}" height="{layout.row - 4:g}" '
        'rx="4" class="band"></rect>'
        f'<text x="{indent + (2 if wide else 14)}" y="{label_y:g}">{label}</text>'
        f'<path d="M{low:.1f} {y - 5:g}v10m0-5H{high:.1f}m0-5v10" class="whisker"></path>'
        f'<circle cx="{value:.1f}" cy="{y:g}" r="4.5" class="dot"></circle>'
        f'<text x="{layout.value:g}" y="{label_y:g}" class="value strong" text-anchor="end">'
        f"{short}</text>"
    )
    if wide:
        marks += (
            f'<text x="{layout.width - 4:g}" y="{label_y:g}" class="value" text-anchor="end">'
            f"{formats.interval(row.low, row.high)}</text>"
        )
    if row.rank is not None:
        marks += (
            f'<text x="{20 if wide else 32}" y="{label_y:g}" class="rank" text-anchor="end">'
            f"{row.rank}</text>"
        )
    linked = svg.link(row.href, svg.hit(_tip(row, short), SafeString(marks)))
    return SafeString(f'<g class="row {row.side}">{linked}</g>')


def _tip(row: Interval, short: str) -> str:
    tip = f"{row.label}: {short}, 95% interval {formats.interval(row.low, row.high)}"
    return f"{tip}. {row.note}" if row.note else tip
