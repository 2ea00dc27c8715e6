from __future__ import annotations

import datetime as dt

import pytest

from dougong_registry.web import formats


@pytest.mark.parametrize(
    ("us", "written"),
    [
        (0.8124, "812 ns"),
        (12.34, "12.3 µs"),
        (999.9, "1.00 ms"),
        (4560, "4.56 ms"),
        (83e6, "83.0 s"),
        (300e6, "5 min"),
        (float("nan"), "—"),
    ],
)
def test_duration_picks_the_unit(us: float, written: str) -> None:
    assert formats.duration(us) == written


def test_percent_never_rounds_up_to_all() -> None:
    assert formats.percent(0.9999) == "99.9%"
    assert formats.percent(1.0) == "100%"


def test_scientific_keeps_small_errors_readable() -> None:
    assert formats.scientific(3.1e-7) == "3.1×10⁻⁷"
    assert formats.scientific(0.0) == "0"
    assert formats.scientific(None) == "—"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(3, "just now"), (300, "5 min ago"), (7200, "2 h ago"), (5 * 86400, "5 days ago")],
)
def test_ago_is_relative(seconds: int, written: str) -> None:
    now = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
    assert formats.ago(now - dt.timedelta(seconds=seconds), now) == written
