"""Raw samples of one speed case: every timed round as a dot, one band a restart."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from collections.abc import Sequence

from django.utils.safestring import SafeString

from dougong_registry.web import formats
from dougong_registry.web.charts import svg
from dougong_registry.web.charts.scale import Scale, time_scale, time_ticks


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One series of raw times: outer list restarts, inner list rounds."""

    kind: str
    """`candidate`, `baseline` or `control`; also the CSS class."""
    samples_us: Sequence[Sequence[float]]


@dataclasses.dataclass(frozen=True, slots=True)
class _Restart:
    """One restart of one series, with what both layouts say of it."""

    kind: str
    place: int
    """From the top, among the series."""
    samples_us: Sequence[float]
    median_us: float
    tip: str


_LANE = 13.0
_GAP = 9.0
_LETTERS = {"candidate": "operator", "baseline": "baseline", "control": "A/A copy"}


def strip_chart(lanes: Sequence[Lane], *, title: str) -> SafeString:
    """Draw every sample of every restart, with the median of each restart as a tick.

    A whole lane is one path, so that a thousand dots cost about ten bytes each.

    Args:
        lanes: Series drawn from top to bottom within each restart; empty ones are left out.
        title: Names the chart to a screen reader.
    """
    shown = [lane for lane in lanes if any(lane.samples_us)]
    restarts = max((len(lane.samples_us) for lane in shown), default=0)
    every = [value for lane in shown for run in lane.samples_us for value in run]
    if not every:
        return SafeString("")
    medians = ", ".join(f"{_LETTERS[lane.kind]} {_median(lane)}" for lane in shown)
    description = f"{len(every)} raw times in {restarts} restarts. Median: {medians}."
    rows = [
        [
            _restart(lane.kind, place, number, lane.samples_us[number])
            for place, lane in enumerate(shown)
            if number < len(lane.samples_us) and lane.samples_us[number]
        ]
        for number in range(restarts)
    ]
    return svg.join(
        [
            _draw(rows, len(shown), every, layout, width, title, description)
            for layout, width in (("wide", 880.0), ("narrow", 360.0))
        ]
    )


def _restart(kind: str, place: int, number: int, samples: Sequence[float]) -> _Restart:
    median_us = statistics.median(samples)
    tip = (
        f"{_LETTERS[kind]}, restart {number + 1}: median {formats.duration(median_us)} of "
        f"{len(samples)}, {formats.duration(min(samples))} to {formats.duration(max(samples))}"
    )
    return _Restart(kind, place, samples, median_us, tip)


def _draw(
    rows: Sequence[Sequence[_Restart]],
    lanes: int,
    every_us: list[float],
    layout: str,
    width: float,
    title: str,
    description: str,
) -> SafeString:
    left, right, top = (96.0 if layout == "wide" else 28.0), width - 14, 8.0
    band = _LANE * lanes + _GAP
    bottom = top + band * len(rows)
    scale = time_scale(every_us, left + 8, right)
    body = []
    for tick in time_ticks(scale, 90 if layout == "wide" else 76):
        x = scale(tick)
        body.append(svg.line(x, top, x, bottom, "grid"))
        anchor = "end" if x > right - 24 else "middle"
        body.append(svg.text(x, bottom + 18, formats.duration(tick), "tick", anchor))
    for number, row in enumerate(rows):
        y = top + band * number
        name = f"restart {number + 1}" if layout == "wide" else f"{number + 1}"
        body.append(svg.rect(left, y, right - left, band - _GAP + 4, "strip-band", 4))
        body.append(svg.text(left - 10, y + (band - _GAP) / 2 + 6, name, "tick", "end"))
        body += [_lane(each, scale, y + _LANE * (each.place + 0.5) + 2) for each in row]
    return svg.frame(layout, width, bottom + 28, title=title, description=description, body=body)


def _lane(restart: _Restart, scale: Scale, centre: float) -> SafeString:
    """Draw one restart of one series; alternate rounds sit a little apart so that ties show."""
    heights = [f" {centre + offset:.1f}h0" for offset in (-2.2, 0.0, 2.2)]
    places = zip(scale.each(restart.samples_us), itertools.cycle(heights))
    dots = "".join([f"M{x:.1f}{height}" for x, height in places])
    middle, top, bottom = scale(restart.median_us), centre - 6, centre + 6
    # Numbers and our own words only, in one piece: a page has a thousand of these lanes.
    return SafeString(
        f'<g class="lane {restart.kind}"><g class="hit"><title>{restart.tip}</title>'
        f'<rect x="{scale.start:.1f}" y="{top:.1f}" width="{scale.end - scale.start:.1f}" '
        f'height="12" class="target"></rect><path d="{dots}" class="dots"></path>'
        f'<line x1="{middle:.1f}" y1="{top:.1f}" x2="{middle:.1f}" y2="{bottom:.1f}" '
        'class="median"></line></g></g>'
    )


def _median(lane: Lane) -> str:
    """Return the median of the restarts' medians, the number that the score is made of."""
    return formats.duration(
        statistics.median(statistics.median(run) for run in lane.samples_us if run)
    )
