"""Saying from when on a suite gives no rank any more."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from dougong_registry.audit.services import HUB, record
from dougong_registry.columns import hold_to_columns
from dougong_registry.problem import Conflict, Missing, Refused
from dougong_registry.runs.models import Run
from dougong_registry.suites.models import Retirement
from dougong_registry.suites.selectors import today


@transaction.atomic
def suite_retire(
    *, suite: str, retires_on: dt.date, reason: str, actor: str = HUB
) -> tuple[Retirement, bool]:
    """Say on which day a suite retires; return that, and whether it is new.

    Its boards stay and can be read; runs recorded from that day on are shown and not ranked.

    Raises:
        Missing: nothing was judged under the suite.
        Refused: the day is past, which would take ranks that were given, or there is no reason.
        Conflict: another day was said before.
    """
    known = Retirement.objects.filter(suite=suite).first()
    if known is not None:
        if known.retires_on != retires_on:
            raise Conflict(f"{known}, and that stands; runs were sent in relying on it")
        return known, False
    if not Run.objects.filter(
        contract=suite.partition("/")[0], suite=suite, superseded_at__isnull=True
    ).exists():
        raise Missing(f"nothing was judged under the suite {suite[:96]!r}; /suites/ lists them")
    if retires_on < today():
        raise Refused(f"a suite retires today or later, in UTC; {retires_on} is past")
    row = Retirement(suite=suite, retires_on=retires_on, reason=reason.strip())
    hold_to_columns(row)
    row.save(force_insert=True)
    record(
        actor=actor,
        verb="suite.retired",
        target=f"suite:{suite}",
        retires_on=retires_on.isoformat(),
        reason=row.reason,
    )
    return row, True
