"""Intervals drawn in text, on one logarithmic axis with a mark at the baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence

WIDTH = 36


class Axis:
    """A logarithmic axis from the lowest to the highest end, which always holds 1.0."""

    def __init__(self, intervals: Sequence[tuple[float, float]], width: int = WIDTH) -> None:
        """Fit the axis to `(low, high)` pairs, all positive."""
        ends = [end for interval in intervals for end in interval if end > 0] + [1.0]
        self.low, self.high, self.width = min(ends), max(ends), width

    def draw(self, low: float, value: float, high: float) -> str:
        """Draw `low` to `high` as a line, `value` as a dot and the baseline as a bar."""
        cells = [" "] * self.width
        cells[self._cell(1.0)] = "│"
        start, end = self._cell(low), self._cell(high)
        cells[start : end + 1] = ["─"] * (end + 1 - start)
        cells[self._cell(value)] = "●"
        return "".join(cells)

    def legend(self) -> str:
        """Return the ends of the axis as a line of the same width."""
        left, right = f"{self.low:.2f}x", f"{self.high:.2f}x"
        return left + " " * (self.width - len(left) - len(right)) + right

    def _cell(self, value: float) -> int:
        if value <= 0 or self.high == self.low:
            return 0
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(min(max(share, 0.0), 1.0) * (self.width - 1))
