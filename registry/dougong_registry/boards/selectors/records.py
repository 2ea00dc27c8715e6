"""Rows of given operator records, each with its newest run; lists are made by the search."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Max, OuterRef, QuerySet, Subquery

from dougong_registry.boards.rows import OperatorRow
from dougong_registry.boards.selectors.runs import newest_runs
from dougong_registry.plugins.models import OperatorRecord
from dougong_registry.runs.models import Run


def newest_records() -> QuerySet[OperatorRecord]:
    """Return one record per operator name, of its newest release."""
    newest = (
        OperatorRecord.objects.filter(claimed_name=OuterRef("claimed_name"))
        .order_by("-release")
        .values("pk")[:1]
    )
    return OperatorRecord.objects.filter(pk=Subquery(newest))


def operator_rows(records: QuerySet[OperatorRecord]) -> tuple[OperatorRow, ...]:
    """Make rows in two queries: the records, and the newest run of each."""
    found = list(records.select_related("release__plugin").defer("metadata"))
    runs = telling_runs(found)
    return tuple(operator_row(record, runs.get(record.pk)) for record in found)


def telling_runs(records: Iterable[OperatorRecord]) -> dict[int, Run]:
    """Return of each record, by its key, the run to show, with its best speed-up."""
    newest = newest_runs(Run.objects.filter(operator__in=[record.pk for record in records]))
    return {run.operator_id: run for run in newest.annotate(best=Max("scores__speedup"))}


def operator_row(record: OperatorRecord, run: Run | None) -> OperatorRow:
    """Make a row of a record and its run, one of `telling_runs`."""
    ranked = run is not None and run.outcome == "passed" and not run.held_reason
    return OperatorRow(
        name=record.name,
        family=record.family,
        contract=record.contract,
        variant=record.variant,
        summary=record.summary,
        paper=record.paper,
        license=record.license,
        distribution=record.release.plugin.name,
        version=record.release.version,
        published_at=record.created_at,
        outcome=run.outcome if run else "",
        code=run.code if run else "",
        run_id=run.verdict_id if run else "",
        best_speedup=getattr(run, "best", None) if ranked else None,
    )
