"""Jobs: claimed under a lease, kept alive by events, taken back when the lease runs out."""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from dougong_ci.report.routes import fits
from dougong_registry.contributions.releases import release_credit
from dougong_registry.fleet.editions import older_than_fleet
from dougong_registry.fleet.selectors import machine_of
from dougong_registry.plugins.services import operators_discover, release_publish
from dougong_registry.problem import Conflict, Missing, Refused
from dougong_registry.search.services import entry_refresh
from dougong_registry.submissions.devices import device_jobs_create
from dougong_registry.submissions.dispatch import jobs_dispatch_waiting
from dougong_registry.submissions.events import event_append, fields_of
from dougong_registry.submissions.models import Job, JobEvent, Submission
from dougong_registry.submissions.queue import new_nonce
from dougong_registry.submissions.retries import retry_schedule

WORKER_KINDS = (
    JobEvent.Kind.DISCOVERED,
    JobEvent.Kind.GATE_STARTED,
    JobEvent.Kind.GATE_FINISHED,
    JobEvent.Kind.PROGRESS,
    JobEvent.Kind.OPERATOR_FINISHED,
    JobEvent.Kind.ERROR,
)


@transaction.atomic
def job_claim(*, job_id: int, nonce: str, key_id: str) -> Job:
    """Give a job to a runner, under a lease.

    Raises:
        Missing: there is no such job.
        Conflict: it is done, taken, the nonce is of an earlier attempt, or the runner is not fit.
    """
    job = _locked(job_id)
    if job.state in {Job.State.DONE, Job.State.FAILED}:
        raise Conflict(f"job {job_id} is over ({job.state}); drop the message")
    _hold_to_nonce(job, nonce)
    if job.state == Job.State.LEASED:
        raise Conflict(f"job {job_id} was claimed with this nonce; drop the message")
    _hold_to_machine(job, key_id)
    job.state = Job.State.LEASED
    job.attempts += 1
    job.runner_key_id = key_id
    job.lease_expires_at = lease()
    job.save()
    _submission_moves(job, Submission.State.JUDGING)
    event_append(
        job=job, kind=JobEvent.Kind.CLAIMED, message=f"runner {key_id}, attempt {job.attempts}"
    )
    return job


@transaction.atomic
def job_events_append(
    *, job_id: int, nonce: str, key_id: str, events: Sequence[Mapping[str, Any]]
) -> int:
    """Append what a worker reports and renew its lease; return the last sequence number.

    Raises:
        Missing: there is no such job.
        Conflict: the lease is not this worker's any more.
        Refused: an event breaks a rule; none of them is stored.
    """
    job = job_held(job_id=job_id, nonce=nonce, key_id=key_id)
    seq = 0
    for event in events:
        kind = str(event.get("kind", ""))
        if kind not in WORKER_KINDS:
            raise Refused(f"event kind must be one of {', '.join(WORKER_KINDS)}, got {kind!r}")
        fields = fields_of(event)
        if kind == JobEvent.Kind.DISCOVERED:
            found = operators_discover(
                release=job.submission.release,
                owner=job.submission.submitter,
                operators=event.get("operators") or (),
                wanted=job.operators,
            )
            fields["message"] = fields["message"] or f"{len(found)} operators"
            for operator in found:
                entry_refresh(operator_name_id=operator.claimed_name_id)
            if job.first:
                device_jobs_create(submission=job.submission, operators=found)
        seq = event_append(job=job, kind=kind, **fields).seq
    job.lease_expires_at = lease()
    job.save(update_fields=["lease_expires_at"])
    return seq


@transaction.atomic
def job_complete(*, job_id: int, nonce: str, key_id: str, outcome: str, reason: str = "") -> Job:
    """Close a job. Said twice by its holder, it is closed once.

    Raises:
        Missing: there is no such job.
        Conflict: the lease is not this worker's any more.
        Refused: it is said to be judged, but an operator has no verdict, or failed without reason.
    """
    job = _locked(job_id)
    over = {"judged": Job.State.DONE, "failed": Job.State.FAILED}.get(outcome)
    if over is None:
        raise Refused(f"outcome must be judged or failed, got {outcome!r}")
    if job.state == over and hmac.compare_digest(job.nonce, nonce) and job.runner_key_id == key_id:
        return job
    job = job_held(job_id=job_id, nonce=nonce, key_id=key_id)
    if over == Job.State.DONE:
        _refuse_gaps(job)
    elif not reason:
        raise Refused("a failed job needs a reason")
    job_close(job=job, state=over, reason=reason)
    return job


def job_close(*, job: Job, state: str, reason: str) -> None:
    """Close a locked job, and queue its retry where it could not tell enough.

    The first job closes its submission with it, and a judged release is sealed. A retry, or the job
    of another device, leaves both as they are: if it fails, nothing else does. Once an operator has
    passed, by whichever job, the release is published, unless that waits for a merge.
    """
    now = timezone.now()
    judged = state == Job.State.DONE
    event_append(
        job=job,
        kind=JobEvent.Kind.COMPLETED,
        outcome="judged" if judged else "failed",
        message=reason,
    )
    job.state = state
    job.lease_expires_at = None
    job.finished_at = now
    job.reason = reason or job.reason
    job.save()
    if job.first:
        _submission_close(submission=job.submission, error="" if judged else reason, now=now)
    if judged:
        passed = job.submission.runs.filter(outcome="passed").exists()
        if passed and job.submission.publishes:
            release_publish(release=job.submission.release)
            release_credit(release=job.submission.release)
        retry_schedule(job=job)
    transaction.on_commit(jobs_dispatch_waiting, robust=True)


def _submission_close(*, submission: Submission, error: str, now: dt.datetime) -> None:
    submission.state = Submission.State.FAILED if error else Submission.State.JUDGED
    submission.error = error
    submission.finished_at = now
    submission.save()
    if not error:
        release = submission.release
        release.sealed_at = release.sealed_at or now
        release.save(update_fields=["sealed_at"])


@transaction.atomic
def jobs_requeue_expired() -> list[int]:
    """Take back every job whose lease ran out; return their ids.

    A job goes out again under a new nonce, so the worker that lost it is turned away if it comes
    back. After `JOB_ATTEMPTS` attempts it fails, because it may be what kills the workers.
    """
    expired = (
        Job.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("submission__release")
        .filter(state=Job.State.LEASED, lease_expires_at__lt=timezone.now())
    )
    requeued = []
    for job in expired:
        if job.attempts - job.handed_back >= settings.JOB_ATTEMPTS:
            reason = (
                f"no verdict after {job.attempts} attempts: each time the worker stopped "
                "reporting; see its log, then submit a new version"
            )
            job_close(job=job, state=Job.State.FAILED, reason=reason)
            continue
        _requeue(job, f"the worker stopped reporting for {settings.JOB_LEASE_S} s")
        requeued.append(job.pk)
    return requeued


@transaction.atomic
def job_hand_back(*, job_id: int, nonce: str, key_id: str, reason: str) -> Job:
    """Take a job back from a worker that is being taken down; that costs it no attempt.

    Raises:
        Missing: there is no such job.
        Conflict: the lease is not this worker's any more.
    """
    job = job_held(job_id=job_id, nonce=nonce, key_id=key_id)
    job.handed_back += 1
    _requeue(job, reason or "the worker is being taken down")
    transaction.on_commit(jobs_dispatch_waiting, robust=True)
    return job


def _requeue(job: Job, message: str) -> None:
    event_append(job=job, kind=JobEvent.Kind.REQUEUED, message=message)
    job.state = Job.State.QUEUED
    job.nonce = new_nonce()
    job.lease_expires_at = None
    job.dispatched_at = None
    if not job.background:
        # It has waited its turn once.
        job.priority = Job.Priority.HIGH
    job.save()
    _submission_moves(job, Submission.State.QUEUED)


def job_held(*, job_id: int, nonce: str, key_id: str) -> Job:
    """Return a job, locked, that this runner holds under this nonce.

    Raises:
        Missing: there is no such job.
        Conflict: it is held by another runner or attempt, or by nobody.
    """
    job = _locked(job_id)
    _hold_to_nonce(job, nonce)
    if job.state != Job.State.LEASED or not hmac.compare_digest(job.runner_key_id, key_id):
        raise Conflict(f"job {job_id} is not under a lease of runner {key_id}; stop working on it")
    return job


def _locked(job_id: int) -> Job:
    job = (
        Job.objects.select_for_update(of=("self",))
        .select_related("submission__release__plugin", "submission__submitter")
        .filter(pk=job_id)
        .first()
    )
    if job is None:
        raise Missing(f"no job {job_id}")
    return job


def _hold_to_nonce(job: Job, nonce: str) -> None:
    if not hmac.compare_digest(job.nonce.encode(), nonce.encode()):
        raise Conflict(
            f"the nonce is not the present one of job {job.pk}; the job went to another worker, "
            "so stop working on it"
        )


def _hold_to_machine(job: Job, key_id: str) -> None:
    machine = machine_of(key_id)
    hardware = machine.hardware if machine else {}
    if job.background and machine and (older := older_than_fleet(machine.key_id)):
        raise Conflict(
            f"job {job.pk} is for the newest; runner {key_id} has {older}; drop the message"
        )
    if not fits(hardware, job.device, job.hardware_class):
        has = ", ".join(f"{at} ({name or 'any class'})" for at, name in hardware.items())
        needs = f"{job.device} {job.hardware_class}".strip()
        raise Conflict(f"job {job.pk} needs {needs}, runner {key_id} has {has}; drop the message")


def _submission_moves(job: Job, state: str) -> None:
    """Let the submission follow its first job; the others leave it as it is."""
    if job.first:
        Submission.objects.filter(pk=job.submission_id).update(state=state)


def _refuse_gaps(job: Job) -> None:
    records = job.submission.release.operators.all()
    if not records.exists():
        raise Refused(
            "nothing was discovered in the release, so nothing was judged; complete it as failed "
            "with the reason"
        )
    judged = job.submission.runs.values("operator")
    if not job.first:
        records = records.filter(name__in=job.operators)
        judged = job.runs.values("operator")
    if missing := list(records.exclude(pk__in=judged).values_list("name", flat=True)):
        raise Refused(f"no verdict yet for {', '.join(sorted(missing))}; post their runs first")


def lease() -> dt.datetime:
    """Return when a lease that begins now runs out."""
    return timezone.now() + dt.timedelta(seconds=settings.JOB_LEASE_S)
