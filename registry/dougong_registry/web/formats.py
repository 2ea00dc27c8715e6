"""Numbers and times as people read them. Charts and templates use the same ones."""

from __future__ import annotations

import datetime as dt
import math

_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def duration(us: float) -> str:
    """Write microseconds with three digits in the unit that fits: `812 ns`, `12.3 µs`, `4.5 s`."""
    if not math.isfinite(us):
        return "—"
    for limit, factor, unit in ((1, 1e3, "ns"), (1e3, 1, "µs"), (1e6, 1e-3, "ms")):
        if us < limit * 0.9995:
            return f"{three_digits(us * factor)} {unit}"
    seconds = us * 1e-6
    if seconds < 119.5:
        return f"{three_digits(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def three_digits(value: float) -> str:
    """Write a number with three significant digits and no exponent below 100,000."""
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 9.995 else f"{value:.2f}"


def ratio(value: float | None) -> str:
    """Write a speed-up: `1.42×`, `12.3×`."""
    if value is None or not math.isfinite(value):
        return "—"
    return f"{three_digits(value)}×"


def interval(low: float | None, high: float | None) -> str:
    """Write an interval of speed-ups: `1.38–1.46×`."""
    if low is None or high is None:
        return "—"
    return f"{three_digits(low)}–{ratio(high)}"


def scientific(value: float | None) -> str:
    """Write an error: `0`, `0.012`, `3.1×10⁻⁷`."""
    if value is None or not math.isfinite(value):
        return "—" if value is None or math.isnan(value) else "∞"
    if value == 0 or 1e-2 <= abs(value) < 1e4:
        return f"{value:.3g}"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}×10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def power(value: float) -> str:
    """Write a tick of a log axis: `10⁻³`, `5×10⁻⁴`, `0.1`, `20`."""
    if 1e-2 <= value < 1e4:
        return f"{value:g}"
    mantissa, _, exponent = f"{value:.0e}".partition("e")
    head = "" if mantissa == "1" else f"{mantissa}×"
    return f"{head}10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def whole_percent(share: float) -> str:
    """Write a share that somebody chose, as 2% or 0.5%: nothing is measured, so nothing rounded."""
    return f"{share * 100:g}%"


def percent(share: float | None) -> str:
    """Write a share as a percentage; only an exact 1 reads as 100%."""
    if share is None or not math.isfinite(share):
        return "—"
    if share == 0 or share >= 0.9995:
        return "99.9%" if 0 < share < 1 else f"{share * 100:,.0f}%"
    return f"{share * 100:.1f}%" if share >= 0.001 else "<0.1%"


def ago(moment: dt.datetime, now: dt.datetime) -> str:
    """Write how long ago something was: `just now`, `5 min ago`, `3 days ago`, else the date."""
    seconds = (now - moment).total_seconds()
    if seconds < 45:
        return "just now"
    if seconds < 90 * 60:
        return f"{max(round(seconds / 60), 1)} min ago"
    if seconds < 36 * 3600:
        return f"{round(seconds / 3600)} h ago"
    if seconds < 30 * 86400:
        return f"{round(seconds / 86400)} days ago"
    return f"{moment:%Y-%m-%d}"


def file_size(size_bytes: int) -> str:
    """Write a file size: `812 B`, `12.3 kB`, `4.56 MB`."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= factor:
            return f"{three_digits(size_bytes / factor)} {unit}"
    return f"{size_bytes} B"
