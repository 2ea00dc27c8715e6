"""Judging operators on the other devices that they say they run on."""

from __future__ import annotations

from collections.abc import Iterable

from dougong_ci.report.verdict import DEVICES
from dougong_registry.plugins.models import OperatorRecord
from dougong_registry.submissions.events import event_append
from dougong_registry.submissions.models import FIRST_DEVICE, Job, JobEvent, Submission
from dougong_registry.submissions.queue import new_nonce


def device_jobs_create(*, submission: Submission, operators: Iterable[OperatorRecord]) -> list[Job]:
    """Queue one job for each further device that operators declare; found twice, it is one.

    Runs in the transaction that records the operators. Such a job ends by itself: the submission
    does not wait for a machine that may never come.
    """
    wanted: dict[str, list[str]] = {}
    for operator in operators:
        for device in operator.metadata.get("devices") or ():
            if device in DEVICES and device != FIRST_DEVICE:
                wanted.setdefault(str(device), []).append(operator.name)
    made = []
    for device, names in wanted.items():
        if submission.jobs.filter(device=device).exists():
            continue
        job = Job.objects.create(
            submission=submission,
            nonce=new_nonce(),
            device=device,
            operators=sorted(names),
            profile=submission.profile,
        )
        message = f"judged on {device} too: {', '.join(job.operators)}"
        event_append(job=job, kind=JobEvent.Kind.QUEUED, message=message)
        made.append(job)
    return made
