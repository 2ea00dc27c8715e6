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
    """One queue that has open jobs."""

    device: str
    hardware_class: str
    """Empty where any machine with the device will do."""
    priority: str
    waiting: int
    """Due and not claimed, whether or not the broker has the message."""
    later: int
    """Retries before their time."""
    judging: int
    oldest_s: float
    """How long the first of those waiting has been due; 0 where none waits."""

    @property
    def queue(self) -> str:
        """Return the name of the queue at the broker."""
        return queue_of(self.device, self.hardware_class, self.priority)


def queue_depths() -> tuple[Depth, ...]:
    """Return the depth of every queue with open jobs, by name.

    A retry counts from when it is due. The database is asked, not the broker: it knows what was
    sent, what was not, and what was lost.
    """
    now = timezone.now()
    queued, leased = Q(state=Job.State.QUEUED), Q(state=Job.State.LEASED)
    later = queued & Q(not_before__gt=now)
    due = queued & (Q(not_before__isnull=True) | Q(not_before__lte=now))
    rows = (
        Job.objects.filter(queued | leased)
        .values("device", "hardware_class", "priority")
        .annotate(
            waiting=Count("pk", filter=due),
            later=Count("pk", filter=later),
            judging=Count("pk", filter=leased),
            oldest=Min(Coalesce(F("not_before"), F("created_at")), filter=due),
        )
    )
    found = [
        Depth(
            device=row["device"],
            hardware_class=row["hardware_class"],
            priority=row["priority"],
            waiting=row["waiting"],
            later=row["later"],
            judging=row["judging"],
            oldest_s=max(0.0, (now - row["oldest"]).total_seconds()) if row["oldest"] else 0.0,
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda depth: depth.queue))
