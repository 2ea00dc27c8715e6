"""The plane of a scatter: a logarithmic axis to the right, a ratio upwards."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.safestring import SafeString

from dougong_registry.web.charts import svg
from dougong_registry.web.charts.labels import Box
from dougong_registry.web.charts.scale import Scale, decade_ticks, ratio_ticks


def axes(
    across: Scale,
    up: Scale,
    area: Box,
    *,
    named: Callable[[float], str],
    apart: tuple[float, float],
    titles: tuple[str, str],
) -> list[SafeString]:
    """Draw the grid, its numbers and what the two axes say.

    Args:
        across: To the right.
        up: Upwards; its 1× line is drawn as the baseline.
        area: Left, top, right and bottom of the plane.
        named: Writes a number of the axis to the right.
        apart: Least distance of two ticks, to the right and upwards.
        titles: Of the axis to the right, and of the one upwards.
    """
    left, top, right, bottom = area
    body = []
    for tick in decade_ticks(across, apart[0]):
        x = across(tick)
        body.append(svg.line(x, top, x, bottom, "grid"))
        body.append(svg.text(x, bottom + 18, named(tick), "tick", "middle"))
    for tick in ratio_ticks(up, apart[1]):
        y = up(tick)
        body.append(svg.line(left, y, right, y, "one" if tick == 1 else "grid"))
        body.append(svg.text(left - 8, y + 4, f"{tick:g}×", "tick", "end"))
    body.append(svg.text(right, bottom + 40, titles[0], "tick strong", "end"))
    body.append(svg.text(4, top - 16, titles[1], "tick strong"))
    return body
