"""What the community did, month by month, after the CHAOSS metrics: kept, and made anew."""

from __future__ import annotations

import datetime as dt
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, Min, OuterRef, QuerySet

from dougong_registry.contributions.models import Contribution, Month
from dougong_registry.people.models import Identity
from dougong_registry.turns import take_turn

_TURN = "dougong months"
_NAMES = {"change": "changes", "review": "reviews", "triage": "triages", "report": "reports"}


def month_of(moment: dt.datetime) -> dt.date:
    """Return the first day of a moment's month (UTC)."""
    return moment.astimezone(dt.UTC).date().replace(day=1)


def months_touched(record: Contribution) -> set[dt.date]:
    """Return the months whose figures a new record may change."""
    rows = [record, *([record.replaces] if record.replaces else [])]
    moments = [row.occurred_at for row in rows]
    moments += [row.opened_at for row in rows if row.opened_at]
    if threads := {row.thread for row in rows} - {""}:
        of_threads = Contribution.objects.filter(thread__in=threads)
        moments += [at for at in of_threads.values_list("opened_at", flat=True) if at]
    # Who was new in a month is not when something older comes to light, and is when that goes.
    others = Contribution.in_force().filter(person=record.person_id).exclude(pk=record.pk)
    first = others.aggregate(first=Min("occurred_at"))["first"]
    if first is not None and min(moments) <= first:
        moments.append(first)
    return set(map(month_of, moments))


@transaction.atomic
def months_refresh(months: Iterable[dt.date]) -> None:
    """Compute some months anew from the ledger."""
    take_turn(connection, _TURN)
    for month in sorted(months):
        figures = _figures(month)
        if any(figures.values()):
            Month.objects.update_or_create(month=month, defaults=figures)
        else:
            Month.objects.filter(month=month).delete()


def months_rebuild() -> Iterator[int]:
    """Compute all months anew; yields how many are done after each."""
    with transaction.atomic():
        take_turn(connection, _TURN)
        Month.objects.all().delete()
        rows = Contribution.in_force()
        months = {month_of(each) for each in rows.datetimes("occurred_at", "month", tzinfo=dt.UTC)}
        months |= {month_of(each) for each in rows.datetimes("opened_at", "month", tzinfo=dt.UTC)}
        for done, month in enumerate(sorted(months), start=1):
            months_refresh([month])
            yield done


def _figures(month: dt.date) -> dict[str, Any]:
    start = dt.datetime(month.year, month.month, 1, tzinfo=dt.UTC)
    end = (start + dt.timedelta(days=32)).replace(day=1)
    rows = Contribution.in_force().filter(occurred_at__gte=start, occurred_at__lt=end)
    done = list(rows.values_list("kind", "person_id"))
    kinds = Counter(kind for kind, _ in done)
    people = Counter(person for _, person in done)
    earlier = Contribution.in_force().filter(person=OuterRef("pk"), occurred_at__lt=start)
    here_before = Identity.objects.filter(Exists(earlier), pk__in=list(people))
    known = set(here_before.values_list("pk", flat=True))
    responses = list(_responses_s(start, end))
    durations = [
        (at - opened).total_seconds()
        for at, opened in rows.filter(kind="change").values_list("occurred_at", "opened_at")
        if opened is not None
    ]
    return {
        **{name: kinds[kind] for kind, name in _NAMES.items()},
        "people_new": len(people.keys() - known),
        "people_returning": len(people.keys() & known),
        "absence_factor": absence_factor(people),
        "responses": len(responses),
        "response_median_s": statistics.median(responses) if responses else None,
        "reviewed": len(durations),
        "review_median_s": statistics.median(durations) if durations else None,
    }


def absence_factor(done: Counter[int]) -> int:
    """Return the fewest people who did at least half."""
    half, so_far = done.total() / 2, 0
    for number, (_, count) in enumerate(done.most_common(), start=1):
        so_far += count
        if so_far >= half:
            return number
    return 0


def _responses_s(start: dt.datetime, end: dt.datetime) -> Iterator[float]:
    """Yield how long threads opened in a time waited for somebody else than who opened them."""
    opened = Contribution.in_force().filter(opened_at__gte=start, opened_at__lt=end)
    opened = opened.exclude(thread="")
    first: dict[str, tuple[dt.datetime, int]] = {}
    for thread, at, person in opened.values_list("thread", "opened_at", "person_id"):
        if at is not None:
            first[thread] = min(first.get(thread, (at, person)), (at, person))
    waited: dict[str, float] = {}
    for thread, at, person in _answers(opened):
        since, opener = first[thread]
        if person != opener and at >= since:
            spent = (at - since).total_seconds()
            waited[thread] = min(waited.get(thread, spent), spent)
    yield from waited.values()


def _answers(opened: QuerySet[Contribution]) -> Iterable[tuple[str, dt.datetime, int]]:
    return (
        Contribution.in_force()
        .filter(thread__in=opened.order_by().values("thread"), kind__in=("review", "triage"))
        .exclude(thread="")
        .values_list("thread", "occurred_at", "person_id")
    )
