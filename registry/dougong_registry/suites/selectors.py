"""Which suites are in force."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.utils import timezone

from dougong_registry.suites.models import Retirement

IN_FORCE = "in force"
RETIRED = "retired"


def retirement_dates(contract: str = "") -> dict[str, dt.date]:
    """Return by suite the day it retires, or retired, on; those that are not there have none."""
    rows = Retirement.objects.all()
    if contract:
        rows = rows.filter(suite__startswith=f"{contract}/")
    return dict(rows.values_list("suite", "retires_on"))


def retirement_date(suite: str) -> dt.date | None:
    """Return the day on which a suite retires; None where none was said."""
    return Retirement.objects.filter(suite=suite).values_list("retires_on", flat=True).first()


def state_on(retires_on: dt.date | None, day: dt.date | None = None) -> str:
    """Return `in force` or `retired`, today in UTC unless another day is given."""
    day = day or today()
    return RETIRED if retires_on is not None and retires_on <= day else IN_FORCE


def is_retired(suite: str) -> bool:
    """Whether runs under a suite get no rank any more."""
    return state_on(retirement_date(suite)) == RETIRED


def retired_suites(dates: Mapping[str, dt.date] | None = None) -> list[str]:
    """Return the names of suites that are retired."""
    found = retirement_dates() if dates is None else dates
    return [suite for suite, day in found.items() if state_on(day) == RETIRED]


def today() -> dt.date:
    """Return the day in UTC."""
    return timezone.now().astimezone(dt.UTC).date()
