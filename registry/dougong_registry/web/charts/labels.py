"""Where the labels of a scatter go, so that none touches another or a mark."""

from __future__ import annotations

from dougong_registry.web.charts import svg

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in user units."""


_RISING = (
    (-8, -10, "end"),
    (-12, 4, "end"),
    (8, 18, "start"),
    (12, 4, "start"),
    (0, -12, "middle"),
    (0, 22, "middle"),
    (8, -10, "start"),
    (-8, 18, "end"),
)
"""Offset to the mark and anchor, clear first of a line that rises to the right."""
_FALLING = tuple(sorted(_RISING, key=lambda spot: spot[:2] not in {(8, -10), (12, 4), (-8, 18)}))


def free_spot(
    label: str,
    place: tuple[float, float],
    taken: list[Box],
    area: Box,
    *,
    falling: bool = False,
) -> tuple[float, float, str] | None:
    """Return where a label fits without touching another, and claim it; None where nowhere does.

    Args:
        label: What is written.
        place: Centre of its mark.
        taken: Where marks and labels are already.
        area: What it must not leave.
        falling: Whether a line that falls to the right joins the marks, not one that rises.
    """
    x, y = place
    wide = svg.width_of(label, 13)
    left, top, right, bottom = area
    for right_by, down_by, anchor in _FALLING if falling else _RISING:
        label_x, label_y = x + right_by, y + down_by
        start = label_x - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
        box = (start, label_y - 12, start + wide, label_y + 4)
        inside = box[0] >= left and box[2] <= right and box[1] >= top - 14 and box[3] <= bottom
        own = (x - 7, y - 7, x + 7, y + 7)
        if inside and not any(_overlap(box, other) for other in taken if other != own):
            taken.append(box)
            return label_x, label_y, anchor
    return None


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
