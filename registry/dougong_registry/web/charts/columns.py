"""Columns over time: one a month, of one series or of several on top of each other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from django.utils.safestring import SafeString

from dougong_registry.web.charts import svg
from dougong_registry.web.charts.scale import Scale

_STEPS = (1, 2, 2.5, 5, 10)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One month; a value that is None was not measured, which is not nought."""

    label: str
    values: tuple[float | None, ...]
    """One for each series, from the bottom up."""

    @property
    def height(self) -> float:
        """All of it."""
        return sum(value or 0.0 for value in self.values)


def columns_chart(
    columns: Sequence[Column],
    *,
    title: str,
    unit: str,
    series: Sequence[tuple[str, str]],
    write: Callable[[float], str] = "{:,.0f}".format,
) -> SafeString:
    """Draw columns from nought up.

    Args:
        columns: At least one, in order.
        title: Names the chart to a screen reader.
        unit: Of the values, over the axis.
        series: Name and CSS class of each, from the bottom up.
        write: How a value reads.
    """
    measured = [column for column in columns if any(v is not None for v in column.values)]
    description = f"{title}, from {columns[0].label} to {columns[-1].label}, in {unit}."
    if measured:
        least = min(measured, key=lambda column: column.height)
        most = max(measured, key=lambda column: column.height)
        description += (
            f" From {write(least.height)} in {least.label} to {write(most.height)} in {most.label}."
        )
    return svg.join(
        [
            _draw(columns, unit, series, write, layout, width, (title, description))
            for layout, width in (("wide", 880.0), ("narrow", 360.0))
        ]
    )


def ticks(most: float, count: int = 4) -> list[float]:
    """Return round values from nought to the first at or over the greatest."""
    raw = max(most, 1e-9) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in _STEPS if power * factor >= raw * 0.9999)
    return [index * step for index in range(math.ceil(most / step - 1e-9) + 1)] or [0.0, step]


def _draw(
    columns: Sequence[Column],
    unit: str,
    series: Sequence[tuple[str, str]],
    write: Callable[[float], str],
    layout: str,
    width: float,
    named: tuple[str, str],
) -> SafeString:
    left, top, right, bottom = 52.0, 30.0, width - 8, 210.0
    values = ticks(max(column.height for column in columns) or 1.0)
    up = Scale(0.0, values[-1], bottom, top)
    body = [svg.text(4, 14, unit, "tick strong")]
    for value in values:
        body.append(svg.line(left, up(value), right, up(value), "grid"))
        body.append(svg.text(left - 8, up(value) + 4, f"{value:,g}", "tick", "end"))
    slot = (right - left) / len(columns)
    every = max(1, math.ceil(62 / slot))
    for index, column in enumerate(columns):
        x = left + index * slot
        body.append(_column(column, series, write, up, (x, slot)))
        if (len(columns) - 1 - index) % every == 0:
            body.append(svg.text(x + slot / 2, bottom + 20, column.label, "tick", "middle"))
    title, description = named
    return svg.frame(layout, width, 236, title=title, description=description, body=body)


def _column(
    column: Column,
    series: Sequence[tuple[str, str]],
    write: Callable[[float], str],
    up: Scale,
    place: tuple[float, float],
) -> SafeString:
    x, slot = place
    wide = max(slot * 0.72, 2.0)
    marks = [svg.rect(x, up.end, slot, up.start - up.end, "target")]
    said, at = [], 0.0
    for (name, class_), value in zip(series, column.values, strict=True):
        if value is None:
            said.append(f"{name} not measured")
            continue
        height = up(at) - up(at + value)
        bar = svg.rect(x + (slot - wide) / 2, up(at + value), wide, height, "segment", 1.5)
        marks.append(svg.node("g", bar, class_=class_))
        said.append(f"{name} {write(value)}")
        at += value
    return svg.hit(f"{column.label}: {', '.join(said)}", *marks)
