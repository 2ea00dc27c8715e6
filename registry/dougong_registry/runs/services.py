"""Runners are registered, and their verdicts recorded once each."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from packaging.version import Version

from dougong_ci.report import signing
from dougong_ci.report import verdict as report
from dougong_ci.report.verdict import Verdict
from dougong_registry.audit.services import HUB, record
from dougong_registry.boards.refresh import refresh
from dougong_registry.columns import hold_to_columns
from dougong_registry.notices.services import notices_update
from dougong_registry.plugins.models import OperatorRecord
from dougong_registry.problem import Conflict, Refused
from dougong_registry.reruns.services import rerun_settle
from dougong_registry.runs import verdicts
from dougong_registry.runs.lessons import lessons_of
from dougong_registry.runs.models import CONCLUSIVE, GateResult, Run, Runner, Score
from dougong_registry.submissions.jobs import job_held, lease
from dougong_registry.submissions.models import Job, Submission
from dougong_registry.suites.selectors import is_retired


def runner_register(
    *, name: str, public_key: str, official: bool = False, hardware_class: str = ""
) -> Runner:
    """Register a runner. The same name and key again are the same runner.

    Raises:
        Refused: the key is not 32 bytes in base64.
        Conflict: the name or the key belongs to another runner, or the key was revoked.
    """
    try:
        raw = base64.b64decode(public_key, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("a public key is 32 raw bytes in base64") from error
    if len(raw) != 32:
        raise Refused(f"a public key is 32 raw bytes in base64, got {len(raw)} bytes")
    with transaction.atomic():
        known = Runner.objects.select_for_update().filter(name=name).first()
        if known is not None:
            if known.public_key != public_key or known.revoked_at is not None:
                raise Conflict(f"runner {name} has another key, or was revoked; use a new name")
            known.official, known.hardware_class = official, hardware_class
            known.save(update_fields=["official", "hardware_class"])
            _register(known)
            return known
        runner = Runner(
            name=name,
            public_key=public_key,
            key_id=signing.key_id(public_key),
            official=official,
            hardware_class=hardware_class,
        )
        hold_to_columns(runner)
        if Runner.objects.filter(key_id=runner.key_id).exists():
            raise Conflict(f"the key {runner.key_id} belongs to another runner; generate a new one")
        runner.save(force_insert=True)
        _register(runner)
        return runner


def _register(runner: Runner) -> None:
    record(
        actor=HUB,
        verb="runner.registered",
        target=f"runner:{runner.key_id}",
        name=runner.name,
        official=runner.official,
        hardware_class=runner.hardware_class,
    )


def run_record(
    *, runner: Runner, job_id: int, nonce: str, envelope: Mapping[str, Any]
) -> tuple[Run, bool]:
    """Record a verdict that holds up; return its run and whether it is new.

    One that does not is in the audit log with the reason: whoever holds the key sent it.

    Raises:
        Missing: there is no such job.
        Conflict: the job is not this runner's any more.
        Refused: the signature, schema, subject, contract or scores do not hold up.
    """
    try:
        return _record(runner, job_id, nonce, envelope)
    except (Refused, Conflict) as refusal:
        payload = str(envelope.get("payload", ""))
        record(
            actor=f"runner:{runner.key_id}",
            verb="run.refused",
            target=f"job:{job_id}",
            reason=refusal.detail[:1000],
            payload_sha256=hashlib.sha256(payload.encode("utf-8", "replace")).hexdigest(),
        )
        raise


def _record(
    runner: Runner, job_id: int, nonce: str, envelope: Mapping[str, Any]
) -> tuple[Run, bool]:
    verdict, payload, signature = verdicts.open_envelope(envelope, runner)
    if known := Run.objects.filter(verdict_id=verdict.id).first():
        return _same(known, payload), False
    verdicts.check_consistent(verdict)
    verdicts.check_drawable(verdict)
    scores = verdicts.recompute_scores(verdict)
    try:
        with transaction.atomic():
            job = job_held(job_id=job_id, nonce=nonce, key_id=runner.key_id)
            run = _run(verdict, runner, job, payload, signature)
            hold_to_columns(run)
            superseded = _supersede(run)
            run.save(force_insert=True)
            _save_parts(run, verdict, scores)
            notices_update(run=run, superseded=superseded)
            rerun_settle(run=run)
            job.lease_expires_at = lease()
            job.save(update_fields=["lease_expires_at"])
            refresh(run.operator.claimed_name_id)
    except IntegrityError:
        # The same verdict, posted twice at once: the other one was stored.
        if known := Run.objects.filter(verdict_id=verdict.id).first():
            return _same(known, payload), False
        raise
    return run, True


def _same(known: Run, payload: str) -> Run:
    if known.payload != payload:
        raise Conflict(f"verdict {known.verdict_id} is recorded with another payload")
    return known


def _run(verdict: Verdict, runner: Runner, job: Job, payload: str, signature: str) -> Run:
    subject = verdict.subject
    submission = job.submission
    release = submission.release
    if subject.sha256 != submission.sha256:
        raise Refused(f"the verdict is of {subject.sha256[:64]}, the job of {submission.sha256}")
    if (subject.distribution, subject.version) != (release.plugin.name, release.version):
        raise Refused(
            f"the verdict is of {subject.distribution} {subject.version}, the job of "
            f"{release.plugin.name} {release.version}"
        )
    if runner.hardware_class and verdict.hardware_class != runner.hardware_class:
        raise Refused(
            f"runner {runner.name} is registered as {runner.hardware_class!r}, the verdict says "
            f"{verdict.hardware_class!r}"
        )
    return Run(
        verdict_id=verdict.id,
        submission=submission,
        job=job,
        operator=_operator(verdict, job),
        runner=runner,
        contract=verdict.contract,
        suite=verdict.suite,
        device=verdict.device,
        hardware_class=verdict.hardware_class,
        **verdicts.made_by(verdict.fingerprint, verdict.judge),
        outcome=str(verdict.outcome),
        code=verdict.code,
        summary=verdict.summary[:1024],
        # A quick judgement, one outside a sandbox, or one by a suite of old is shown, never ranked.
        official=runner.official
        and verdict.judge.get("fit_for_board") is True
        and not is_retired(verdict.suite),
        held_reason=verdicts.held_reason(verdict.speed)[:512],
        payload=payload,
        payload_sha256=hashlib.sha256(payload.encode()).hexdigest(),
        signature=signature,
        key_id=runner.key_id,
        started_at=verdicts.moment(verdict.started_at),
        finished_at=verdicts.moment(verdict.finished_at),
    )


def _operator(verdict: Verdict, job: Job) -> OperatorRecord:
    name = str(verdict.subject.operator.get("name", ""))
    if job.operators and name not in job.operators:
        raise Refused(f"this job is to judge {', '.join(job.operators)}, not {name[:105]!r}")
    release = job.submission.release_id
    record = OperatorRecord.objects.filter(release=release, name=name).first()
    if record is None:
        raise Refused(
            f"operator {name[:105]!r} was not discovered in this release; post a `discovered` "
            "event before the runs"
        )
    if verdict.contract != record.contract:
        raise Refused(
            f"{name} was discovered under {record.contract}, the verdict is of {verdict.contract}"
        )
    return record


def _supersede(run: Run) -> list[Run]:
    """Keep one official run per operator, suite and machine in force; return whose place it takes.

    A later run of the same release takes over, unless it tells nothing where the earlier one told
    something: an inconclusive run neither passes nor fails anyone. One of another release takes
    over only where it passed and is of the newer version: a newer release that fails leaves the
    older one its place. What waits for its merge takes no place of another release's.
    """
    if not run.official:
        return []
    now = timezone.now()
    rivals = Run.objects.filter(
        operator__claimed_name=run.operator.claimed_name_id,
        suite=run.suite,
        device=run.device,
        hardware_class=run.hardware_class,
        official=True,
        superseded_at__isnull=True,
    ).select_related("operator__release")
    if run.submission.publishes:
        rivals = rivals.filter(Q(operator=run.operator_id) | Q(submission__publishes=True))
    else:
        rivals = rivals.filter(operator=run.operator_id)
    mine = Version(run.submission.release.version)
    superseded = []
    for rival in rivals.exclude(pk=run.pk).defer("payload"):
        theirs = Version(rival.operator.release.version)
        if rival.operator_id == run.operator_id:
            takes_over = run.outcome in CONCLUSIVE or rival.outcome not in CONCLUSIVE
            yields = not takes_over
        else:
            takes_over = run.outcome == "passed" and theirs < mine
            yields = rival.outcome == "passed" and theirs > mine
        if takes_over:
            Run.objects.filter(pk=rival.pk).update(superseded_at=now)
            superseded.append(rival)
        elif yields:
            run.superseded_at = now
    return superseded


def runs_come_in(submission: Submission) -> None:
    """Let the runs of a submission that waited for its merge take their places.

    In the transaction that has it publish.
    """
    runs = Run.objects.filter(submission=submission, superseded_at__isnull=True)
    for run in runs.select_related("operator", "submission__release").defer("payload"):
        superseded = _supersede(run)
        Run.objects.filter(pk=run.pk).update(superseded_at=run.superseded_at)
        notices_update(run=run, superseded=superseded)
        refresh(run.operator.claimed_name_id)


def _save_parts(run: Run, verdict: Verdict, scores: Sequence[report.Score]) -> None:
    for position, gate in enumerate(verdict.gates):
        row = GateResult(
            run=run,
            position=position,
            name=gate.name,
            outcome=str(gate.outcome),
            required=gate.required,
            summary=gate.summary[:1024],
            duration_s=gate.duration_s,
        )
        hold_to_columns(row)
        row.save(force_insert=True)
    for lesson in lessons_of(run, verdict):
        hold_to_columns(lesson)
        lesson.save(force_insert=True)
    for score in scores:
        relative_l2, error_share = verdicts.worst_errors(verdict.accuracy, score.dtype)
        place = Score(
            run=run,
            dtype=score.dtype,
            mode=score.mode,
            speedup=score.speedup,
            ci_low=score.ci_low,
            ci_high=score.ci_high,
            coverage=score.coverage,
            restarts=score.restarts,
            decision=score.decision,
            relative_l2=relative_l2,
            error_share=error_share,
        )
        hold_to_columns(place)
        place.save(force_insert=True)
