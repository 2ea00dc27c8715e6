"""Taking a submission back before it is judged."""

from __future__ import annotations

from django.db import transaction

from dougong_registry.audit.services import actor_of, record
from dougong_registry.people.models import Identity
from dougong_registry.problem import Conflict, Forbidden, Missing
from dougong_registry.submissions.jobs import job_close
from dougong_registry.submissions.models import BACKGROUND, Job, Submission


@transaction.atomic
def submission_cancel(*, actor: Identity, submission_id: int) -> Submission:
    """Close what is open of a submission; the runner at work on it is told at its next word.

    Raises:
        Missing: there is no such submission.
        Forbidden: it is somebody else's.
        Conflict: nothing of it waits or is being judged.
    """
    submission = Submission.objects.filter(pk=submission_id).first()
    if submission is None:
        raise Missing(f"no submission {submission_id}")
    if submission.submitter_id != actor.pk:
        raise Forbidden(f"submission {submission_id} is another submitter's; ask them to cancel it")
    open_jobs = (
        Job.objects.select_for_update(of=("self",))
        .select_related("submission__release")
        .filter(submission=submission, state__in=(Job.State.QUEUED, Job.State.LEASED))
        # Nobody escapes a check of the hub by cancelling it.
        .exclude(cause__in=BACKGROUND)
        .order_by("pk")
    )
    jobs = list(open_jobs)
    if not jobs:
        raise Conflict(
            f"submission {submission_id} is {submission.state} and nothing of it is open; to take "
            "a judged release from installers, yank it"
        )
    for job in jobs:
        job_close(job=job, state=Job.State.FAILED, reason=f"cancelled by {actor.login}")
    record(
        actor=actor_of(actor),
        verb="submission.cancelled",
        target=f"submission:{submission_id}",
        jobs=[job.pk for job in jobs],
    )
    submission.refresh_from_db()
    return submission
