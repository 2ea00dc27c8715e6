"""A curve as an SVG: how a loss fell."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

_WIDTH, _HEIGHT, _LEFT, _ROOM = 560, 240, 48, 28


def curve(values: Sequence[float], label: str) -> str:
    """Return an SVG of values over steps; what is not finite is left out.

    Raises:
        ValueError: no value is finite.
    """
    points = [(i, v) for i, v in enumerate(values) if math.isfinite(v)]
    if not points:
        raise ValueError(f"a curve needs a finite value, got {len(values)} values")
    low, high = min(0.0, *(v for _, v in points)), max(v for _, v in points)
    span, last = (high - low) or 1.0, max(1, len(values) - 1)
    across, down = _WIDTH - _LEFT - 12, _HEIGHT - 2 * _ROOM

    def y(value: float) -> float:
        return _ROOM + down * (1 - (value - low) / span)

    path = " ".join(f"{_LEFT + across * i / last:.1f},{y(v):.1f}" for i, v in points)
    grid = "".join(
        f'<line x1="{_LEFT}" x2="{_WIDTH - 12}" y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="#8884"/>'
        f'<text x="{_LEFT - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{v:.2f}</text>'
        for v in (low + span * step / 4 for step in range(5))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="11" fill="#667">'
        f"<title>{html.escape(label)}</title>{grid}"
        f'<text x="{_LEFT}" y="16">{html.escape(label)}</text>'
        f'<text x="{_WIDTH - 12}" y="{_HEIGHT - 8}" text-anchor="end">step {len(values)}</text>'
        f'<polyline fill="none" stroke="#2a6fb0" stroke-width="1.5" points="{path}"/></svg>\n'
    )
