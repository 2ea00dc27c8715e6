"""Sending jobs to the broker: few at a time, in fair order, and only where a machine can serve."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence

from django.conf import settings
from django.db.models import BigIntegerField, Case, F, Q, QuerySet, Value, When
from django.utils import timezone

from dougong_ci.report.routes import fits
from dougong_registry.fleet.selectors import machines
from dougong_registry.submissions.fairness import HUB, Route, Waiting, choose
from dougong_registry.submissions.models import BACKGROUND, Job
from dougong_registry.submissions.queue import job_dispatch

LOST_IDLE_S = 60
LOST_BUSY_S = 900
"""A message is given up this long after it was sent: sooner while no worker is at work."""
_AUTHOR = Case(
    When(cause__in=BACKGROUND, then=Value(HUB)),
    default=F("submission__submitter"),
    output_field=BigIntegerField(),
)
JOBS_A_MACHINE = 2
"""One that it judges, and the next, so that it never waits for the hub."""


def jobs_dispatch_waiting() -> list[int]:
    """Send queued jobs that are due, or whose message was lost, as far as there are machines.

    Returns:
        The ids that the broker took now.
    """
    ready = [each.hardware for each in machines() if each.alive and not each.draining]
    if not ready:
        return []
    lost = _lost_before()
    routes = list(_due(lost).order_by().values_list("device", "hardware_class").distinct())
    if not routes:
        return []
    at_work, taken = _under_way(lost)
    slots = _slots(routes, taken, ready)
    open_routes = [route for route, left in slots.items() if left > 0]
    # A long queue is read only where something can be sent: this runs after every submission.
    waiting = _waiting(lost, open_routes) if open_routes else []
    chosen = choose(waiting, at_work=at_work, slots=slots, limit=settings.JOBS_PER_AUTHOR)
    sent = []
    for job_id in chosen:
        if not job_dispatch(job_id=job_id):
            break  # The broker is down: the next sweep tries again.
        sent.append(job_id)
    return sent


def _lost_before() -> dt.datetime:
    busy = Job.objects.filter(state=Job.State.LEASED).exists()
    return timezone.now() - dt.timedelta(seconds=LOST_BUSY_S if busy else LOST_IDLE_S)


def _due(lost: dt.datetime) -> QuerySet[Job]:
    return Job.objects.filter(
        Q(dispatched_at__isnull=True) | Q(dispatched_at__lt=lost),
        Q(not_before__isnull=True) | Q(not_before__lte=timezone.now()),
        state=Job.State.QUEUED,
    )


def _waiting(lost: dt.datetime, routes: Sequence[Route]) -> list[Waiting]:
    on_them = Q()
    for device, hardware_class in routes:
        on_them |= Q(device=device, hardware_class=hardware_class)
    columns = ("pk", "author", "device", "hardware_class", "priority")
    return [
        Waiting(id=pk, author=author, route=(device, hardware_class), priority=priority)
        for pk, author, device, hardware_class, priority in _due(lost)
        .filter(on_them)
        .annotate(author=_AUTHOR)
        .values_list(*columns)
    ]


def _under_way(lost: dt.datetime) -> tuple[Counter[int], Counter[Route]]:
    jobs = Job.objects.filter(
        Q(state=Job.State.LEASED) | Q(state=Job.State.QUEUED, dispatched_at__gte=lost)
    )
    authors: Counter[int] = Counter()
    routes: Counter[Route] = Counter()
    columns = ("author", "device", "hardware_class")
    for author, *route in jobs.annotate(author=_AUTHOR).values_list(*columns):
        authors[author] += 1
        routes[route[0], route[1]] += 1
    return authors, routes


def _slots(
    routes: Sequence[Route], taken: Counter[Route], ready: Sequence[Mapping[str, str]]
) -> dict[Route, int]:
    return {
        route: JOBS_A_MACHINE * sum(fits(each, *route) for each in ready) - taken[route]
        for route in routes
    }
