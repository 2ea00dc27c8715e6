"""Judging again, later, what a job could not tell: a busy machine, or too few restarts."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.utils import timezone

from dougong_ci.report.decision import Decision
from dougong_registry.runs.models import Run
from dougong_registry.submissions.events import event_append
from dougong_registry.submissions.models import Job, JobEvent
from dougong_registry.submissions.queue import new_nonce

PROFILE = "standard"
"""More restarts than the first judgement took."""
NOISE = "INCONCLUSIVE_NOISE"
BUSY = "the machine was busy"
CLOSE = "more restarts are needed to decide the speed"


def retry_schedule(*, job: Job) -> Job | None:
    """Queue a later job for the operators of which a judged one could not tell enough.

    Runs in the transaction that closes the job, so there is one retry of it or none. A run that is
    held waits for a person and is not judged again.

    Returns:
        The new job; None where everything was told, or it was tried often enough.
    """
    if job.tries >= len(settings.JUDGE_RETRY_S):
        return None
    reasons = _reasons(job)
    if not reasons:
        return None
    wait_s = settings.JUDGE_RETRY_S[job.tries]
    retry = Job.objects.create(
        submission_id=job.submission_id,
        nonce=new_nonce(),
        device=job.device,
        # Its run takes the place of another of the same class, or of none.
        hardware_class=_hardware_class(job),
        cause=job.cause if job.background else "retry",
        tries=job.tries + 1,
        priority=Job.Priority.LOW,
        operators=sorted(reasons),
        profile=PROFILE,
        retry=job.retry + 1,
        not_before=timezone.now() + dt.timedelta(seconds=wait_s),
        reason=", and ".join(sorted(set(reasons.values()), reverse=True)),
    )
    names = ", ".join(retry.operators)
    event_append(
        job=retry,
        kind=JobEvent.Kind.QUEUED,
        message=f"judged again in {wait_s / 60:.0f} min: {names}; {retry.reason}",
    )
    return retry


def _reasons(job: Job) -> dict[str, str]:
    """Return, for each operator whose newest run of this job tells too little, why."""
    runs = job.runs.select_related("operator").prefetch_related("scores").defer("payload")
    newest = {run.operator.name: run for run in runs.order_by("pk")}
    return {name: why for name, run in newest.items() if (why := _why(run))}


def _hardware_class(job: Job) -> str:
    classes = set(job.runs.values_list("hardware_class", flat=True))
    return classes.pop() if len(classes) == 1 else ""


def _why(run: Run) -> str:
    if run.held_reason:
        return ""
    if run.outcome == "inconclusive" and run.code == NOISE:
        return BUSY
    undecided = any(score.decision == Decision.UNDECIDED for score in run.scores.all())
    return CLOSE if run.outcome == "passed" and undecided else ""
