"""Appending to the story of a submission."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Max

from dougong_registry.columns import hold_to_columns
from dougong_registry.submissions.models import Job, JobEvent

MAX_MESSAGE = 4_000


def event_append(*, job: Job, kind: str, **fields: Any) -> JobEvent:
    """Append one event. The caller holds the lock on the job, so numbers cannot collide.

    Raises:
        Refused: a field is too long or the kind is unknown.
    """
    newest = JobEvent.objects.filter(submission=job.submission_id).aggregate(seq=Max("seq"))["seq"]
    event = JobEvent(
        submission_id=job.submission_id,
        job=job,
        attempt=job.attempts,
        seq=(newest or 0) + 1,
        kind=kind,
        **fields,
    )
    hold_to_columns(event)
    event.save(force_insert=True)
    return event


def fields_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of an event as a worker sent it."""
    duration_s = event.get("duration_s")
    return {
        "operator": str(event.get("operator") or ""),
        "gate": str(event.get("gate") or ""),
        "outcome": str(event.get("outcome") or ""),
        "code": str(event.get("code") or ""),
        # `gate_finished` calls its line a summary; NUL cannot be stored and means nothing here.
        "message": str(event.get("message") or event.get("summary") or "").replace("\0", "")[
            :MAX_MESSAGE
        ],
        "duration_s": float(duration_s) if duration_s is not None else None,
    }
