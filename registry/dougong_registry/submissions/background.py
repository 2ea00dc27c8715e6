"""Judging a release again because the hub wants to know, not because somebody waits."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from dougong_registry.submissions.events import event_append
from dougong_registry.submissions.models import Job, JobEvent
from dougong_registry.submissions.queue import new_nonce

PROFILE = "standard"
"""As thorough as a retry: what is compared must be measured as well as what it is compared with."""
OPEN = (Job.State.QUEUED, Job.State.LEASED)


def job_again(
    *,
    submission_id: int,
    device: str,
    hardware_class: str,
    operators: Sequence[str],
    cause: str,
    reason: str,
) -> Job | None:
    """Queue a judgement that can wait, in the caller's transaction.

    Returns:
        The job; None where one of this submission on this device is open, so ask again later.
    """
    jobs = Job.objects.filter(submission=submission_id, device=device)
    if jobs.filter(state__in=OPEN).exists():
        return None
    last = jobs.aggregate(last=Max("retry"))["last"] or 0
    try:
        with transaction.atomic():
            job = Job.objects.create(
                submission_id=submission_id,
                nonce=new_nonce(),
                device=device,
                hardware_class=hardware_class,
                cause=cause,
                priority=Job.Priority.LOW,
                operators=sorted(operators),
                profile=PROFILE,
                retry=last + 1,
                not_before=timezone.now(),
                reason=reason,
            )
            said = f"judged again: {', '.join(job.operators)}; {reason}"
            event_append(job=job, kind=JobEvent.Kind.QUEUED, message=said)
    except IntegrityError:
        # A retry was queued, or another job of the submission spoke, at the same moment.
        return None
    return job
