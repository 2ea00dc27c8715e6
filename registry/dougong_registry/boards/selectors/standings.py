"""The boards: who stands where on one machine, in one dtype and mode."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber

from dougong_registry.boards.ranking import MIN_COVERAGE, is_approximate, pareto, rank
from dougong_registry.boards.rows import Board, BoardSummary, RankedRow, UnrankedRow
from dougong_registry.plugins.models import OperatorRecord
from dougong_registry.problem import Missing
from dougong_registry.runs.models import Run, Score

RANKABLE = Q(
    run__official=True,
    run__superseded_at__isnull=True,
    run__outcome="passed",
    run__held_reason="",
    coverage__gte=MIN_COVERAGE,
)
RANKED_RUN = Q(official=True, outcome="passed", held_reason="", coverage__gte=MIN_COVERAGE)
_KEY = ("run__contract", "run__suite", "run__hardware_class", "dtype", "mode")


def boards_list() -> tuple[BoardSummary, ...]:
    """Return every board that ranks someone, in the order of contract, machine, dtype, mode."""
    leaders = (
        Score.objects.filter(RANKABLE)
        .annotate(
            place=Window(RowNumber(), partition_by=_KEY, order_by=[F("speedup").desc(), F("id")]),
            entries=Window(Count("id"), partition_by=_KEY),
        )
        .filter(place=1)
        .order_by(*_KEY)
        .values_list(
            *_KEY,
            "entries",
            "run__operator__name",
            "run__verdict_id",
            "speedup",
            "ci_low",
            "ci_high",
            named=True,
        )
    )
    return tuple(
        BoardSummary(
            contract=row.run__contract,
            suite=row.run__suite,
            hardware_class=row.run__hardware_class,
            dtype=row.dtype,
            mode=row.mode,
            entries=row.entries,
            leader=row.run__operator__name,
            leader_run_id=row.run__verdict_id,
            leader_speedup=row.speedup,
            leader_ci_low=row.ci_low,
            leader_ci_high=row.ci_high,
        )
        for row in leaders
    )


def board(
    contract: str,
    *,
    hardware: str | None = None,
    dtype: str | None = None,
    mode: str | None = None,
) -> Board:
    """Return one board. What is not chosen is the fullest there is; the suite is the newest.

    Raises:
        Missing: no run of this contract is known, or none under this choice.
    """
    suite = _newest_suite(contract)
    keys = _keys(contract, suite)
    chosen = _choose(keys, hardware, dtype, mode, contract)
    rows = _ranked(contract, suite, *chosen)
    return Board(
        contract=contract,
        suite=suite,
        hardware_class=chosen[0],
        dtype=chosen[1],
        mode=chosen[2],
        approximate=is_approximate(contract),
        rows=rows,
        unranked=_unranked(contract, suite, *chosen),
        pareto=pareto(rows),
        hardware_classes=_distinct(key[0] for key in keys),
        dtypes=_distinct(key[1] for key in keys if key[0] == chosen[0]),
        modes=_distinct(key[2] for key in keys if key[:2] == chosen[:2]),
    )


Key = tuple[str, str, str]
"""Hardware class, dtype, mode."""


def _newest_suite(contract: str) -> str:
    suite = (
        _current_runs().filter(contract=contract).order_by("-suite").values_list("suite").first()
    )
    if suite is None:
        raise Missing(f"no official run of contract {contract!r} is known; see /api/v1/boards")
    return str(suite[0])


def _current_runs() -> QuerySet[Run]:
    return Run.objects.filter(official=True, superseded_at__isnull=True)


def _keys(contract: str, suite: str) -> dict[Key, int]:
    """Return the boards of a suite with the number of their scores, ranked or not."""
    counted = (
        Score.objects.filter(
            run__official=True,
            run__superseded_at__isnull=True,
            run__contract=contract,
            run__suite=suite,
        )
        .values_list("run__hardware_class", "dtype", "mode")
        .annotate(entries=Count("id"))
        .order_by()
    )
    keys = {(machine, dtype, mode): entries for machine, dtype, mode, entries in counted}
    if not keys:
        # Nothing measured yet, but the reasons are worth a page.
        for machine in _current_runs().filter(contract=contract).values_list("hardware_class"):
            keys[machine[0], "float32", "infer"] = 0
    return keys


def _choose(
    keys: dict[Key, int], hardware: str | None, dtype: str | None, mode: str | None, contract: str
) -> Key:
    wanted = (hardware, dtype, mode)
    matching = [
        key
        for key in keys
        if all(want in (None, "", have) for want, have in zip(wanted, key, strict=True))
    ]
    if not matching:
        asked = ", ".join(want for want in wanted if want)
        known = "; ".join(" ".join(key) for key in sorted(keys))
        raise Missing(f"{contract} has no board for {asked}; there are: {known}")
    # The fullest board; float32 and infer come first among equals.
    return min(matching, key=lambda k: (-keys[k], k[1] != "float32", k[2] != "infer", k))


def _ranked(
    contract: str, suite: str, hardware: str, dtype: str, mode: str
) -> tuple[RankedRow, ...]:
    scores = Score.objects.filter(
        RANKABLE,
        run__contract=contract,
        run__suite=suite,
        run__hardware_class=hardware,
        dtype=dtype,
        mode=mode,
    ).values_list(
        "run__operator__name",
        "run__operator__variant",
        "run__operator__summary",
        "run__operator__release__plugin__name",
        "run__operator__release__version",
        "speedup",
        "ci_low",
        "ci_high",
        "decision",
        "restarts",
        "coverage",
        "relative_l2",
        "error_share",
        "run__outcome",
        "run__verdict_id",
        "run__finished_at",
    )
    names = [field.name for field in dataclasses.fields(RankedRow)][1:]
    found: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in scores]
    return rank([RankedRow(rank=0, **row) for row in found])


def _unranked(
    contract: str, suite: str, hardware: str, dtype: str, mode: str
) -> tuple[UnrankedRow, ...]:
    score = Score.objects.filter(run=OuterRef("pk"), dtype=dtype, mode=mode)
    runs = (
        Run.objects.filter(
            superseded_at__isnull=True, contract=contract, suite=suite, hardware_class=hardware
        )
        .annotate(coverage=Subquery(score.values("coverage")[:1]))
        .exclude(RANKED_RUN)
        .select_related("operator__release__plugin")
        .defer("payload")
        .order_by("operator__name", "-recorded_at")
    )
    rows = []
    for run in runs:
        # An operator of another dtype or mode has no place here, not even an unranked one.
        if run.coverage is None and not _declares(run.operator, dtype, mode):
            continue
        kind, reason = _why_unranked(run, run.coverage)
        rows.append(
            UnrankedRow(
                operator=run.operator.name,
                distribution=run.operator.release.plugin.name,
                version=run.operator.release.version,
                outcome=run.outcome,
                code=run.code,
                kind=kind,
                reason=reason,
                run_id=run.verdict_id,
                judged_at=run.finished_at,
            )
        )
    return tuple(rows)


def _declares(operator: OperatorRecord, dtype: str, mode: str) -> bool:
    metadata = operator.metadata
    # What a compiler takes whole is said in a field of its own.
    has_mode = (
        metadata.get("compiles") == "fullgraph"
        if mode == "compiled"
        else mode in metadata.get("modes", ())
    )
    return has_mode and dtype in metadata.get("dtypes", ())


def _why_unranked(run: Run, coverage: float | None) -> tuple[str, str]:
    if run.outcome == "failed":
        return "rejected", run.summary
    if run.outcome != "passed":
        return "inconclusive", run.summary
    if run.held_reason:
        return "held", run.held_reason
    if not run.official:
        return "unofficial", "judged by a runner whose runs are shown but not ranked"
    if coverage is None:
        return "unmeasured", "accurate, but no speed was measured in this dtype and mode"
    return (
        "coverage",
        f"measured {coverage:.0%} of the suite's weight; a rank needs {MIN_COVERAGE:.0%}",
    )


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))
