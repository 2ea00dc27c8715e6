"""Memory against time: for each case an arrow from the baseline to the operator."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from django.utils.safestring import SafeString

from dougong_registry.web import formats
from dougong_registry.web.charts import plane, svg
from dougong_registry.web.charts.scale import Scale, log_scale


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPoint:
    """What one case took, and what its baseline took."""

    label: str
    time_us: float
    baseline_time_us: float
    peak_bytes: float
    baseline_peak_bytes: float


def memory_chart(points: Sequence[MemoryPoint], *, title: str) -> SafeString:
    """Draw time (to the right is slower) against peak memory (up is more), relative to 1×.

    Args:
        points: At least one; all numbers positive.
        title: Names the chart to a screen reader.
    """
    less = sum(point.peak_bytes < point.baseline_peak_bytes for point in points)
    fast = sum(point.time_us < point.baseline_time_us for point in points)
    description = (
        f"Time and peak memory of {len(points)} cases, each beside its baseline. "
        f"{fast} are faster than it, {less} hold less memory."
    )
    return svg.join(
        [
            _draw(points, layout, size, title, description)
            for layout, size in (("wide", (880.0, 380.0)), ("narrow", (360.0, 340.0)))
        ]
    )


def _draw(
    points: Sequence[MemoryPoint],
    layout: str,
    size: tuple[float, float],
    title: str,
    description: str,
) -> SafeString:
    width, height = size
    left, right, top, bottom = 64.0, width - 16, 34.0, height - 52
    across = log_scale(
        [time for point in points for time in (point.time_us, point.baseline_time_us)], left, right
    )
    shares = [point.peak_bytes / point.baseline_peak_bytes for point in points]
    low, high = min(*shares, 0.9), max(*shares, 1.1)
    up = Scale(low / 1.05, high * 1.05, bottom, top, log=True)
    body = plane.axes(
        across,
        up,
        (left, top, right, bottom),
        named=formats.duration,
        apart=(64, 30),
        titles=("time of one call → slower", "memory over the baseline ↑ more"),
    )
    body += [_mark(point, across, up) for point in points]
    return svg.frame(layout, width, height, title=title, description=description, body=body)


def _mark(point: MemoryPoint, across: Scale, up: Scale) -> SafeString:
    x, y = across(point.time_us), up(point.peak_bytes / point.baseline_peak_bytes)
    from_x, from_y = across(point.baseline_time_us), up(1.0)
    tip = (
        f"{point.label}: {formats.duration(point.time_us)} and "
        f"{formats.file_size(int(point.peak_bytes))}; baseline "
        f"{formats.duration(point.baseline_time_us)} and "
        f"{formats.file_size(int(point.baseline_peak_bytes))}"
    )
    marks = (
        svg.line(from_x, from_y, x, y, "stem"),
        svg.node("circle", cx=from_x, cy=from_y, r=4, class_="native"),
        svg.node("circle", cx=x, cy=y, r=12, class_="target"),
        svg.node("circle", cx=x, cy=y, r=5.5, class_="dot"),
    )
    kind = "faster" if point.time_us < point.baseline_time_us else "slower"
    return svg.node("g", svg.hit(tip, *marks), class_=f"row {kind}")
