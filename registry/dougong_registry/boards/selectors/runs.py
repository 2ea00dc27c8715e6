"""One run, from its columns and from the verdict exactly as it was signed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from django.db.models import Max, Prefetch, Q, QuerySet
from django.db.models.functions import Coalesce

from dougong_ci.report.verdict import from_json
from dougong_registry.boards.pages import RunLine
from dougong_registry.boards.rows import GateRow, RunDetail, RunRow, ScoreRow
from dougong_registry.fleet.editions import Edition, editions, stale_words
from dougong_registry.problem import Missing
from dougong_registry.runs.models import CONCLUSIVE, GateResult, Run, Score

_LINE = {
    "id": "verdict_id",
    "version": "operator__release__version",
    "outcome": "outcome",
    "hardware_class": "hardware_class",
    "summary": "summary",
    "held_reason": "held_reason",
    "recorded_at": "recorded_at",
}


def runs_with_scores() -> QuerySet[Run]:
    """Return runs ready to be made rows, in two queries, without their payloads."""
    return (
        Run.objects.select_related("operator__release__plugin")
        .prefetch_related(Prefetch("scores", Score.objects.order_by("dtype", "mode")))
        .defer("payload")
    )


def newest_runs(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Return of each operator the newest run that tells something, else the newest at all.

    A retry on a busy machine tells nothing, and does not hide what was told before.
    """
    newest = (
        runs.order_by()
        .values("operator")
        .annotate(newest=Coalesce(Max("pk", filter=Q(outcome__in=CONCLUSIVE)), Max("pk")))
        .values("newest")
    )
    return Run.objects.filter(pk__in=newest).defer("payload")


def run_rows(runs: Iterable[Run]) -> tuple[RunRow, ...]:
    """Make rows of what `runs_with_scores` returned."""
    make = run_row_maker()
    return tuple(map(make, runs))


def run_lines(
    runs: QuerySet[Run], current: Iterable[RunRow], *, limit: int, offset: int = 0
) -> tuple[RunLine, ...]:
    """Return a part of runs as lines of a history, the newest first.

    Args:
        runs: All of the history.
        current: Those of them in force, which say whether they are stale.
        limit: Lines at most.
        offset: Lines to skip.
    """
    stale = {run.id: run.stale for run in current}
    rows = runs.order_by("-recorded_at", "-pk").values_list(*_LINE.values())[
        offset : offset + limit
    ]
    return tuple(
        RunLine(
            **dict(zip(_LINE, row, strict=True)),
            current=row[0] in stale,
            stale=stale.get(row[0], ""),
        )
        for row in rows
    )


def gates_of(run_id: str) -> tuple[GateRow, ...]:
    """Return the gates of a run as they are listed: what each measured is in the run itself."""
    columns = ("name", "outcome", "required", "summary", "duration_s")
    found = GateResult.objects.filter(run__verdict_id=run_id).order_by("position")
    return tuple(
        GateRow(**dict(zip(columns, row, strict=True)), measurements={})
        for row in found.values_list(*columns)
    )


def run_row_maker() -> Callable[[Run], RunRow]:
    """Return what makes one row, holding it to what machines have now."""
    now = editions()
    return lambda run: _row(run, now)


def run_detail(run_id: str) -> RunDetail:
    """Return one run by its verdict id.

    Raises:
        Missing: there is none of this id.
    """
    run = (
        runs_with_scores()
        .defer(None)
        .select_related("submission", "runner")
        .filter(verdict_id=run_id)
        .first()
    )
    if run is None:
        raise Missing(f"no run {run_id!r}; runs are listed with their operators and boards")
    verdict = from_json(run.payload)
    return RunDetail(
        run=_row(run, editions()),
        submission_id=run.submission_id,
        sha256=run.submission.sha256,
        runner=run.runner.name,
        key_id=run.key_id,
        signature=run.signature,
        payload_sha256=run.payload_sha256,
        started_at=run.started_at,
        finished_at=run.finished_at,
        contract_digest=verdict.contract_digest,
        gates=tuple(
            GateRow(
                name=gate.name,
                outcome=str(gate.outcome),
                required=gate.required,
                summary=gate.summary,
                duration_s=gate.duration_s,
                measurements=gate.measurements,
            )
            for gate in verdict.gates
        ),
        accuracy=tuple(verdict.accuracy),
        histograms=tuple(verdict.histograms),
        quality=tuple(verdict.quality),
        pareto=tuple(verdict.pareto),
        speed=tuple(verdict.speed),
        claims=tuple(verdict.claims),
        fingerprint=verdict.fingerprint,
        judge=verdict.judge,
        operator_metadata=verdict.subject.operator,
        repeat=str(verdict.judge.get("repeat", "")),
    )


def _row(run: Run, now: Mapping[str, Edition]) -> RunRow:
    in_force = run.official and run.superseded_at is None
    release = run.operator.release
    return RunRow(
        id=run.verdict_id,
        operator=run.operator.name,
        distribution=release.plugin.name,
        version=release.version,
        contract=run.contract,
        suite=run.suite,
        device=run.device,
        hardware_class=run.hardware_class,
        outcome=run.outcome,
        code=run.code,
        summary=run.summary,
        official=run.official,
        current=run.superseded_at is None,
        held_reason=run.held_reason,
        recorded_at=run.recorded_at,
        torch=run.torch_version,
        judge=run.judge_version,
        stale=stale_words(run.torch_version, run.judge_version, run.hardware_class, now)
        if in_force
        else "",
        scores=tuple(
            ScoreRow(
                dtype=score.dtype,
                mode=score.mode,
                speedup=score.speedup,
                ci_low=score.ci_low,
                ci_high=score.ci_high,
                decision=score.decision,
                coverage=score.coverage,
                restarts=score.restarts,
                relative_l2=score.relative_l2,
                error_share=score.error_share,
            )
            for score in run.scores.all()
        ),
    )
