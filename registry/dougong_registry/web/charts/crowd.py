"""Many named points in one plane: what nothing beats stands out, and is named first."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from django.utils.safestring import SafeString

from dougong_registry.web.charts import labels, svg

NAMED = 16
"""Points with their name beside them, or all that lead where they are more; the tooltip has every
name."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One point where it is drawn."""

    x: float
    y: float
    label: str
    tip: str
    leads: bool
    """Nothing beats it on both axes."""
    href: str = ""


def crowd(marks: Iterable[Mark], area: labels.Box, *, falling: bool = False) -> list[SafeString]:
    """Draw the points, those that lead first, so that their names find a place.

    Args:
        marks: In the order in which they are named.
        area: What names must not leave.
        falling: Whether those that lead fall to the right instead of rising.
    """
    ordered = sorted(marks, key=lambda mark: not mark.leads)
    taken: list[labels.Box] = [(m.x - 7, m.y - 7, m.x + 7, m.y + 7) for m in ordered]
    named = max(sum(mark.leads for mark in ordered), NAMED)
    return [
        _draw(mark, taken, area if count < named else None, falling=falling)
        for count, mark in enumerate(ordered)
    ]


def _draw(
    mark: Mark, taken: list[labels.Box], area: labels.Box | None, *, falling: bool
) -> SafeString:
    parts = [
        svg.node("circle", cx=mark.x, cy=mark.y, r=12, class_="target"),
        svg.node("circle", cx=mark.x, cy=mark.y, r=6.5 if mark.leads else 4.5, class_="dot"),
    ]
    place = (mark.x, mark.y)
    spot = area and labels.free_spot(mark.label, place, taken, area, falling=falling)
    if spot:
        label_x, label_y, anchor = spot
        parts.append(svg.text(label_x, label_y, mark.label, "", anchor))
    kind = "on-frontier" if mark.leads else "dominated"
    return svg.node("g", svg.link(mark.href, svg.hit(mark.tip, *parts)), class_=f"point {kind}")
