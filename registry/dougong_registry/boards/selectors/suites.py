"""Suites: what is timed and checked under a contract, as the verdicts say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Count, Max, QuerySet

from dougong_ci.report.verdict import Verdict, from_json
from dougong_registry.boards.pages import SuiteCase, SuiteCheck, SuitePage, SuiteRow
from dougong_registry.boards.selectors.runs import run_rows, runs_with_scores
from dougong_registry.boards.selectors.standings import boards_list
from dougong_registry.problem import Missing
from dougong_registry.runs.models import Run
from dougong_registry.suites.selectors import retirement_dates, state_on

READ = 4
"""Verdicts that a suite is read from: each may leave out dtypes its operator does not know."""


def suites_list() -> tuple[SuiteRow, ...]:
    """Return every suite with a run in force, by contract, the newest version first."""
    return _rows(Run.objects.filter(superseded_at__isnull=True))


def suite_detail(contract: str, version: str) -> SuitePage:
    """Return what a suite holds, read from the newest verdicts that passed it.

    Raises:
        Missing: nothing was judged under it.
    """
    suite = f"{contract}/{version}"
    rows = _rows(Run.objects.filter(contract=contract, suite=suite, superseded_at__isnull=True))
    if not rows:
        raise Missing(f"nothing was judged under the suite {suite!r}; see /suites/")
    passed = Run.objects.filter(
        contract=contract, suite=suite, superseded_at__isnull=True, outcome="passed"
    )
    # First which, then whole: a sort would carry every verdict along.
    newest = list(passed.order_by("-recorded_at", "-pk").values_list("pk", flat=True)[:READ])
    runs = sorted(
        runs_with_scores().defer(None).filter(pk__in=newest), key=lambda run: newest.index(run.pk)
    )
    verdicts = [from_json(run.payload) for run in runs]
    return SuitePage(
        suite=rows[0],
        digests=tuple(dict.fromkeys(verdict.contract_digest for verdict in verdicts)),
        cases=_cases(verdicts),
        checks=_checks(verdicts),
        read_from=run_rows(runs),
        boards=boards_list(suite=suite),
    )


def _rows(runs: QuerySet[Run]) -> tuple[SuiteRow, ...]:
    counted = (
        runs.order_by()
        .values_list("contract", "suite")
        .annotate(Count("pk"), Count("hardware_class", distinct=True), Max("recorded_at"))
        .order_by("contract", "-suite")
    )
    days = retirement_dates()
    return tuple(
        SuiteRow(
            contract=contract,
            version=suite.removeprefix(f"{contract}/"),
            runs=many,
            machines=machines,
            last_run_at=last,
            state=state_on(days.get(suite)),
            retires_on=days.get(suite),
        )
        for contract, suite, many, machines, last in counted
    )


def _named(workload: str, params: dict[str, Any]) -> tuple[str, str]:
    return workload, json.dumps(params, sort_keys=True)


def _cases(verdicts: Sequence[Verdict]) -> tuple[SuiteCase, ...]:
    grouped: dict[tuple[str, str], list[Any]] = {}
    for case in (case for verdict in verdicts for case in verdict.speed):
        grouped.setdefault(_named(case.workload, case.params), []).append(case)
    return tuple(
        SuiteCase(
            workload=cases[0].workload,
            params=cases[0].params,
            weight=cases[0].weight,
            baseline=cases[0].baseline,
            dtypes=_distinct(case.dtype for case in cases),
            modes=_distinct(case.mode for case in cases),
        )
        for cases in grouped.values()
    )


def _checks(verdicts: Sequence[Verdict]) -> tuple[SuiteCheck, ...]:
    grouped: dict[tuple[str, str], list[Any]] = {}
    for row in (row for verdict in verdicts for row in verdict.accuracy):
        if not row.hidden:
            grouped.setdefault(_named(row.workload, row.params), []).append(row)
    return tuple(
        SuiteCheck(
            workload=rows[0].workload,
            params=rows[0].params,
            bounds=tuple(
                (dtype, max(row.bound for row in rows if row.dtype == dtype))
                for dtype in _distinct(row.dtype for row in rows)
            ),
            directions=_distinct(row.direction.partition(":")[0] for row in rows),
        )
        for rows in grouped.values()
    )


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))
