"""Heat map of speed-ups: one row a workload, one column a dtype and mode."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from django.utils.safestring import SafeString

from dougong_registry.web import formats
from dougong_registry.web.charts import svg

STEPS = (0.5, 0.8, 0.95, 1.05, 1.25, 2.0)
"""Bounds between the seven shades, from much slower to much faster."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One speed-up; None where the case was not measured."""

    row: str
    column: str
    value: float | None


def shade(value: float) -> int:
    """Return 0 (much slower) to 6 (much faster); 3 is within 5% of the baseline."""
    return sum(value >= step for step in STEPS)


def heatmap_chart(tiles: Sequence[Tile], *, title: str, baseline: str = "baseline") -> SafeString:
    """Draw speed-ups as shaded tiles with their numbers, in the order given.

    Args:
        tiles: At least one; a pair of row and column once.
        title: Names the chart to a screen reader.
        baseline: What 1× stands for.
    """
    measured = [tile for tile in tiles if tile.value is not None and math.isfinite(tile.value)]
    description = f"{len(measured)} speed-ups over {baseline} by workload and dtype."
    if measured:
        least, most = min(measured, key=_value), max(measured, key=_value)
        description += f" From {_said(least)} to {_said(most)}."
    return svg.join(
        [
            _draw(tiles, layout, width, left, title, description)
            for layout, width, left in (("wide", 880.0, 262.0), ("narrow", 360.0, 0.0))
        ]
    )


def _value(tile: Tile) -> float:
    return tile.value or 0.0


def _said(tile: Tile) -> str:
    return f"{formats.ratio(tile.value)} ({tile.row}, {tile.column})"


def _draw(
    tiles: Sequence[Tile], layout: str, width: float, left: float, title: str, description: str
) -> SafeString:
    rows = list(dict.fromkeys(tile.row for tile in tiles))
    columns = list(dict.fromkeys(tile.column for tile in tiles))
    narrow = layout == "narrow"
    height, top = (56.0, 26.0) if narrow else (36.0, 28.0)
    across = (width - left) / len(columns)
    body = [
        svg.text(
            left + across * (index + 0.5), 16, svg.fit(column, across, 12), "tick strong", "middle"
        )
        for index, column in enumerate(columns)
    ]
    for index, row in enumerate(rows):
        y = top + height * index + (20 if narrow else 23)
        room = width if narrow else left - 14
        body.append(svg.text(2, y - (4 if narrow else 0), svg.fit(row, room, 14)))
    for tile in tiles:
        x = left + across * columns.index(tile.column)
        y = top + height * rows.index(tile.row) + (20 if narrow else 0)
        body.append(_tile(tile, x, y, across, height - (20 if narrow else 0)))
    return svg.frame(
        layout,
        width,
        top + height * len(rows) + 4,
        title=title,
        description=description,
        body=body,
    )


def _tile(tile: Tile, x: float, y: float, width: float, height: float) -> SafeString:
    kind = "none" if tile.value is None else str(shade(tile.value))
    said = "not measured" if tile.value is None else formats.ratio(tile.value)
    return svg.hit(
        f"{tile.row}, {tile.column}: {said}",
        svg.rect(x + 1.5, y + 1.5, width - 3, height - 3, f"heat heat-{kind}", 4),
        svg.text(x + width / 2, y + height / 2 + 5, formats.ratio(tile.value), "on", "middle"),
    )
