"""Submissions: the queue, and how far one is."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Prefetch, QuerySet

from dougong_registry.boards.rows import (
    EventRow,
    GateRow,
    OperatorOutcome,
    RetryRow,
    Stage,
    SubmissionDetail,
    SubmissionOperator,
    SubmissionRow,
    SubmissionState,
)
from dougong_registry.boards.selectors.runs import newest_runs
from dougong_registry.fleet.selectors import machines, waiting_for
from dougong_registry.problem import Missing
from dougong_registry.runs.models import GateResult, Run
from dougong_registry.submissions.models import FIRST_DEVICE, Job, JobEvent, Submission

_WAITING = (Submission.State.QUEUED, Submission.State.JUDGING)
_OPEN = (Job.State.QUEUED, Job.State.LEASED)


def submissions_recent(limit: int = 10) -> tuple[SubmissionRow, ...]:
    """Return the waiting submissions, oldest first, then the newest of the others."""
    keys = [*_waiting_longest(limit)]
    if len(keys) < limit:
        rest = Submission.objects.exclude(state__in=_WAITING).order_by("-created_at", "-pk")
        keys += rest.values_list("pk", flat=True)[: limit - len(keys)]
    rows = submissions_related().in_bulk(keys)
    return tuple(submission_row(rows[key]) for key in keys)


def _waiting_longest(limit: int) -> list[int]:
    # State by state and without a join, so that SQLite takes the index of the queue: it knows that
    # nearly all share one state, not which, and would look at them all for the few that wait.
    found = [
        row
        for state in _WAITING
        for row in Submission.objects.filter(state=state)
        .order_by("created_at", "pk")
        .values_list("created_at", "pk")[:limit]
    ]
    return [key for _, key in sorted(found)[:limit]]


def submission_events(submission_id: int, *, after: int = 0) -> tuple[EventRow, ...]:
    """Return the events with a `seq` above `after`, in order, at most 1,000.

    Raises:
        Missing: there is no such submission.
    """
    events = JobEvent.objects.filter(submission=submission_id, seq__gt=after).order_by("seq")
    rows = event_rows(events[:1000])
    if not rows and not Submission.objects.filter(pk=submission_id).exists():
        raise Missing(f"no submission {submission_id}")
    return rows


def submission_detail(submission_id: int) -> SubmissionDetail:
    """Return one submission with its stages, operators, gates and events.

    Raises:
        Missing: there is no such submission.
    """
    submission = _one(submissions_related().select_related("release__artifact"), submission_id)
    events = event_rows(JobEvent.objects.filter(submission=submission_id).order_by("seq"))
    # The way to the verdict is that of the first job; the others have a place of their own.
    first = [each for each in events if not each.retry and each.device == FIRST_DEVICE]
    attempts = max((event.attempt for event in first), default=0)
    jobs = _open_jobs(submission)
    return SubmissionDetail(
        submission=submission_row(submission),
        sha256=submission.sha256,
        filename=submission.release.artifact.filename,
        size_bytes=submission.release.artifact.size_bytes,
        attempts=attempts,
        retry=_retry(jobs),
        waiting=_waiting(jobs),
        stages=_stages(submission, first),
        operators=_operators(submission, [e for e in first if e.attempt == attempts]),
        events=events,
    )


def submission_state(submission_id: int) -> SubmissionState:
    """Return how far one submission is, without its story: the answer to whoever submits or asks.

    Raises:
        Missing: there is no such submission.
    """
    submission = _one(submissions_related(), submission_id)
    jobs = _open_jobs(submission)
    return SubmissionState(
        submission=submission_row(submission),
        sha256=submission.sha256,
        operators=_outcomes(submission),
        retry=_retry(jobs),
        waiting=_waiting(jobs),
    )


def event_rows(events: QuerySet[JobEvent]) -> tuple[EventRow, ...]:
    """Make rows of events."""
    return tuple(
        EventRow(
            seq=event.seq,
            at=event.at,
            kind=event.kind,
            operator=event.operator,
            gate=event.gate,
            outcome=event.outcome,
            code=event.code,
            message=event.message,
            attempt=event.attempt,
            retry=event.job.retry,
            device=event.job.device,
            duration_s=event.duration_s,
        )
        for event in events.select_related("job")
    )


def submissions_related() -> QuerySet[Submission]:
    """Return submissions with all that a row of them shows, in one query."""
    return Submission.objects.select_related("release__plugin", "submitter")


def submission_row(submission: Submission) -> SubmissionRow:
    """Make a row of what `submissions_related` returned."""
    return SubmissionRow(
        id=submission.pk,
        state=submission.state,
        distribution=submission.release.plugin.name,
        version=submission.release.version,
        submitter=submission.submitter.login,
        created_at=submission.created_at,
        finished_at=submission.finished_at,
        error=submission.error,
    )


def _one(submissions: QuerySet[Submission], submission_id: int) -> Submission:
    submission = submissions.filter(pk=submission_id).first()
    if submission is None:
        raise Missing(f"no submission {submission_id}")
    return submission


def _open_jobs(submission: Submission) -> tuple[Job, ...]:
    return tuple(submission.jobs.filter(state__in=_OPEN).order_by("pk"))


def _retry(jobs: Sequence[Job]) -> RetryRow | None:
    job = next((each for each in jobs if each.retry > 0), None)
    if job is None or job.not_before is None:
        return None
    return RetryRow(
        operators=tuple(job.operators),
        not_before=job.not_before,
        state=job.state,
        reason=job.reason,
    )


def _waiting(jobs: Sequence[Job]) -> tuple[str, ...]:
    needs = [(job.device, job.hardware_class) for job in jobs if job.state == Job.State.QUEUED]
    fleet = machines() if needs else ()
    reasons = (waiting_for(fleet, *need) for need in needs)
    return tuple(dict.fromkeys(filter(None, reasons)))


def _stages(submission: Submission, events: Sequence[EventRow]) -> tuple[Stage, ...]:
    claimed = next((event for event in reversed(events) if event.kind == "claimed"), None)
    found = next((event for event in reversed(events) if event.kind == "discovered"), None)
    over = submission.finished_at is not None
    failed = submission.state == Submission.State.FAILED

    def state(*, reached: bool, active: bool) -> str:
        # A verdict proves the way to it, also where its events were not kept (an import has none).
        if reached or (over and not failed):
            return "done"
        if over:
            return "failed"
        return "active" if active else "waiting"

    waiting = submission.state == Submission.State.QUEUED
    return (
        Stage(name="uploaded", state="done", at=submission.created_at, note="bytes sealed"),
        Stage(
            name="queued",
            state=state(reached=claimed is not None and not waiting, active=waiting),
            at=claimed.at if claimed else None,
            note=claimed.message if claimed else "",
        ),
        Stage(
            name="discovered",
            state=state(reached=found is not None and not waiting, active=not waiting),
            at=found.at if found else None,
            note=found.message if found else "",
        ),
        Stage(
            name="judged",
            state="failed"
            if failed
            else state(reached=over, active=found is not None and not waiting),
            at=submission.finished_at,
            note=submission.error,
        ),
    )


def _outcomes(submission: Submission) -> tuple[OperatorOutcome, ...]:
    names = dict(submission.release.operators.order_by("name").values_list("pk", "name"))
    # Nothing was run before anything was found.
    newest = newest_runs(Run.objects.filter(submission=submission)) if names else ()
    runs = {run.operator_id: run for run in newest}
    return tuple(
        OperatorOutcome(
            name=name,
            outcome=run.outcome if run else "",
            code=run.code if run else "",
            run_id=run.verdict_id if run else "",
        )
        for name, run in ((name, runs.get(pk)) for pk, name in names.items())
    )


def _operators(
    submission: Submission, events: Sequence[EventRow]
) -> tuple[SubmissionOperator, ...]:
    newest = newest_runs(Run.objects.filter(submission=submission))
    gates = Prefetch("gates", GateResult.objects.order_by("position"))
    runs = {run.operator_id: run for run in newest.prefetch_related(gates)}
    records = submission.release.operators.order_by("name").defer("metadata")
    rows = []
    for record in records:
        run = runs.get(record.pk)
        rows.append(
            SubmissionOperator(
                name=record.name,
                contract=record.contract,
                outcome=run.outcome if run else "",
                code=run.code if run else "",
                summary=run.summary if run else "",
                run_id=run.verdict_id if run else "",
                gates=_verdict_gates(run) if run else _live_gates(record.name, events),
            )
        )
    return tuple(rows)


def _verdict_gates(run: Run) -> tuple[GateRow, ...]:
    return tuple(
        GateRow(
            name=gate.name,
            outcome=gate.outcome,
            required=gate.required,
            summary=gate.summary,
            duration_s=gate.duration_s,
        )
        for gate in run.gates.all()
    )


def _live_gates(operator: str, events: Sequence[EventRow]) -> tuple[GateRow, ...]:
    gates: dict[str, GateRow] = {}
    for event in events:
        if event.operator == operator and event.kind in {"gate_started", "gate_finished"}:
            finished = event.kind == "gate_finished"
            gates[event.gate] = GateRow(
                name=event.gate,
                outcome=event.outcome if finished else "running",
                required=True,
                summary=event.message,
                duration_s=event.duration_s or 0.0,
            )
    return tuple(gates.values())
