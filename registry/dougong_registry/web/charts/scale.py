"""Axes: where a value falls, and which values are worth a tick."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

_SPEEDUPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5, 1.75)
_FASTER = (2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 64.0, 100.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """A linear or logarithmic map from values to user units; values outside are clamped."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the position of a value."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def each(self, values: Iterable[float]) -> list[float]:
        """Return the positions of many values, at a third of the cost of one by one."""
        low, high = self.low, self.high
        held = [low if value < low else high if value > high else value for value in values]
        if self.log:
            low, high, held = math.log(low), math.log(high), list(map(math.log, held))
        start, step = self.start, (self.end - self.start) / (high - low)
        return [start + (value - low) * step for value in held]


def finite(values: Iterable[float]) -> list[float]:
    """Return the values that can be drawn at all."""
    return [value for value in values if math.isfinite(value)]


def ratio_scale(values: Sequence[float], start: float, end: float) -> Scale:
    """Return a log scale for speed-ups that always shows 1.0 and leaves air at both ends."""
    usable = [value for value in finite(values) if value > 0] or [1.0]
    low, high = min(*usable, 0.94), max(*usable, 1.06)
    air = (high / low) ** 0.06
    return Scale(low / air, high * air, start, end, log=True)


def log_scale(values: Sequence[float], start: float, end: float) -> Scale:
    """Return a log scale around positive values, at least a factor of three wide."""
    usable = [value for value in finite(values) if value > 0] or [1.0]
    low, high = min(usable), max(usable)
    if high / low < 3:
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(3), middle * math.sqrt(3)
    air = (high / low) ** 0.06
    return Scale(low / air, high * air, start, end, log=True)


def time_scale(values: Sequence[float], start: float, end: float) -> Scale:
    """Return a scale for times: linear where they are alike, logarithmic where they are not."""
    usable = [value for value in finite(values) if value > 0] or [1.0]
    low, high = min(usable), max(usable)
    if high / low > 3:
        return log_scale(usable, start, end)
    air = max((high - low) * 0.06, high * 0.01)
    return Scale(low - air, high + air, start, end)


def ratio_ticks(scale: Scale, gap: float) -> list[float]:
    """Return the speed-ups to label, no two closer than `gap` user units, 1.0 always among them."""
    inside = [tick for tick in _SPEEDUPS + _FASTER if scale.low <= tick <= scale.high]
    return _thin(inside, scale, gap, keep=1.0)


def decade_ticks(scale: Scale, gap: float) -> list[float]:
    """Return powers of ten inside a log scale, with 2 and 5 between where decades are few."""
    first, last = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
    steps: tuple[int, ...] = (1,) if last - first > 3 else (1, 2, 5)
    ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    return _thin([tick for tick in ticks if scale.low <= tick <= scale.high], scale, gap)


def time_ticks(scale: Scale, gap: float) -> list[float]:
    """Return the times to label on a scale made by `time_scale`."""
    if scale.log:
        return decade_ticks(scale, gap)
    count = max(int(abs(scale.end - scale.start) / gap), 2)
    raw = (scale.high - scale.low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)
    first = math.ceil(scale.low / step)
    return [index * step for index in range(first, math.floor(scale.high / step) + 1)]


def _thin(ticks: list[float], scale: Scale, gap: float, keep: float | None = None) -> list[float]:
    kept: list[float] = [keep] if keep is not None and keep in ticks else []
    for tick in sorted(ticks, key=_roundness):
        if all(abs(scale(tick) - scale(other)) >= gap for other in kept):
            kept.append(tick)
    return sorted(kept)


def _roundness(tick: float) -> tuple[int, float]:
    """Order ticks so that 1, 2, 5 win over 3 and 7, and those over 1.1 and 1.75."""
    digits = f"{tick:.3g}".replace(".", "").strip("0")
    rank = {"1": 0, "2": 1, "5": 1, "15": 2, "3": 3, "7": 3}.get(digits, 4)
    return rank, abs(math.log(tick))
