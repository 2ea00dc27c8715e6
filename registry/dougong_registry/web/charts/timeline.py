"""Where the judge's time went: one segment a gate, in the order they ran."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from django.utils.safestring import SafeString

from dougong_registry.web import formats
from dougong_registry.web.charts import svg


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One gate."""

    name: str
    outcome: str
    """`passed`, `failed`, `inconclusive`, `errored` or `skipped`; also the CSS class."""
    duration_s: float


_LEAST = 3.0
"""Width of a gate too short to see, in user units."""


def timeline_chart(spans: Sequence[Span], *, title: str) -> SafeString:
    """Draw the gates end to end, as wide as they took long.

    Args:
        spans: In the order they ran; skipped ones keep a sliver.
        title: Names the chart to a screen reader.
    """
    total = sum(span.duration_s for span in spans)
    description = f"{len(spans)} gates in {formats.duration(total * 1e6)}: " + ", ".join(
        f"{span.name} {span.outcome}" for span in spans
    )
    return svg.join(
        [
            _draw(spans, total, layout, width, title, description)
            for layout, width in (("wide", 880.0), ("narrow", 360.0))
        ]
    )


def _draw(
    spans: Sequence[Span], total: float, layout: str, width: float, title: str, description: str
) -> SafeString:
    free = width - (_LEAST + 2) * len(spans)
    body, x = [], 0.0
    for span in spans:
        wide = _LEAST + (free * span.duration_s / total if total > 0 else 0.0)
        spent = formats.duration(span.duration_s * 1e6)
        marks = [svg.rect(x, 4, wide, 22, "segment", 3)]
        if wide > svg.width_of(span.name, 12) + 4:
            marks.append(svg.text(x + 1, 44, span.name, "tick strong"))
        if wide > svg.width_of(spent, 12) + 10:
            marks.append(svg.text(x + wide - 6, 19, spent, "inside", "end"))
        tip = f"{span.name}: {span.outcome}, {spent}"
        body.append(svg.node("g", svg.hit(tip, *marks), class_=f"span {span.outcome}"))
        x += wide + 2
    return svg.frame(layout, width, 50, title=title, description=description, body=body)
