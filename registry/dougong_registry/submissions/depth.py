"""How much waits on each queue: what an autoscaler and a dashboard ask."""

from __future__ import annotations

import dataclasses

from django.db.models import Count, F, Min, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from dougong_ci.report.routes import queue_of
from dougong_registry.submissions.models import Job


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """One queue that has jobs."""

    queue: str
    waiting: int
    """Due and not claimed, whether or not the broker has the message."""
    judging: int
    oldest_s: float
    """How long the first of those waiting has been due; 0 where none waits."""


def queue_depths() -> tuple[Depth, ...]:
    """Return the depth of every queue with open jobs, by name.

    A retry counts from when it is due. The database is asked, not the broker: it knows what was
    sent, what was not, and what was lost.
    """
    now = timezone.now()
    due = Q(state=Job.State.QUEUED) & (Q(not_before__isnull=True) | Q(not_before__lte=now))
    rows = (
        Job.objects.filter(due | Q(state=Job.State.LEASED))
        .values("device", "hardware_class", "priority")
        .annotate(
            waiting=Count("pk", filter=due),
            judging=Count("pk", filter=Q(state=Job.State.LEASED)),
            oldest=Min(Coalesce(F("not_before"), F("created_at")), filter=due),
        )
    )
    found = [
        Depth(
            queue=queue_of(row["device"], row["hardware_class"], row["priority"]),
            waiting=row["waiting"],
            judging=row["judging"],
            oldest_s=max(0.0, (now - row["oldest"]).total_seconds()) if row["oldest"] else 0.0,
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda depth: depth.queue))
