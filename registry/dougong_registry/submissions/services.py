"""The way in: a wheel becomes a release, a submission and a job."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import IntegrityError, transaction

from dougong_registry.audit.services import actor_of, record
from dougong_registry.people.models import Identity
from dougong_registry.plugins import store, wheel
from dougong_registry.plugins.services import release_create
from dougong_registry.problem import Conflict
from dougong_registry.submissions.dispatch import jobs_dispatch_waiting
from dougong_registry.submissions.events import event_append
from dougong_registry.submissions.models import Job, JobEvent, Submission
from dougong_registry.submissions.queue import new_nonce


def submission_create(
    *, submitter: Identity, chunks: Iterable[bytes], filename: str, publishes: bool = True
) -> tuple[Submission, bool]:
    """Take a wheel in and queue its judgement.

    Args:
        submitter: Whose it is.
        chunks: Its bytes.
        filename: Its name, as pip knows wheels.
        publishes: Whether it is offered to installers once it has passed, and nothing else is due.

    Returns:
        The submission, and whether it is new: the same bytes again are the same submission.

    Raises:
        TooLarge: over the size limit.
        Refused: not a wheel, or one that breaks a rule.
        Conflict: the name is taken or reads like another, or the version has other bytes.
        Forbidden: the plugin belongs to someone else.
    """
    incoming = store.receive(chunks)
    try:
        if known := Submission.objects.filter(sha256=incoming.sha256).first():
            return known, False
        info = wheel.inspect(incoming.path, filename)
        try:
            # Bytes first: a row never names bytes that are not there.
            with transaction.atomic():
                submission = _record(
                    submitter=submitter, info=info, incoming=incoming, publishes=publishes
                )
        except IntegrityError as error:
            # Someone was faster between our look and our write.
            if known := Submission.objects.filter(sha256=incoming.sha256).first():
                return known, False
            raise Conflict(
                f"{info.distribution} {info.version} was taken just now; look it up, and use a new "
                "version for other bytes"
            ) from error
        return submission, True
    finally:
        incoming.drop()


def _record(
    *, submitter: Identity, info: wheel.WheelInfo, incoming: store.Incoming, publishes: bool
) -> Submission:
    release = release_create(
        owner=submitter, wheel=info, sha256=incoming.sha256, size_bytes=incoming.size_bytes
    )
    submission = Submission.objects.create(
        release=release, submitter=submitter, sha256=incoming.sha256, publishes=publishes
    )
    job = Job.objects.create(submission=submission, nonce=new_nonce(), profile=submission.profile)
    event_append(job=job, kind=JobEvent.Kind.QUEUED, message=info.filename)
    record(
        actor=actor_of(submitter),
        verb="release.submitted",
        target=f"{release.plugin.canonical} {release.version}",
        sha256=incoming.sha256,
        size_bytes=incoming.size_bytes,
    )
    incoming.keep()
    transaction.on_commit(jobs_dispatch_waiting, robust=True)
    return submission
