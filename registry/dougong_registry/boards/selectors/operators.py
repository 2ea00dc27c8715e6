"""Operators: searched, and one by one."""

from __future__ import annotations

import datetime as dt

from django.db.models import Max, OuterRef, Q, QuerySet, Subquery

from dougong_registry.boards.rows import OperatorDetail, OperatorRow, ReleaseRow
from dougong_registry.boards.selectors.runs import newest_runs, run_rows, runs_with_scores
from dougong_registry.plugins.models import OperatorRecord
from dougong_registry.problem import Missing
from dougong_registry.runs.models import Run

LIST_LIMIT = 200


def operators_search(
    *, q: str = "", family: str = "", contract: str = "", limit: int = LIST_LIMIT, offset: int = 0
) -> tuple[OperatorRow, ...]:
    """Return operators by their newest release, in the order of their names.

    Args:
        q: Words that must all occur in the name, summary, contract, variant or paper.
        family: One of the six families; empty for all.
        contract: A contract id (`norm.rms@1`) or its kind (`norm.rms`); empty for all.
        limit: Rows at most.
        offset: Rows to skip.
    """
    records = newest_records()
    if family:
        records = records.filter(family=family)
    if contract:
        kind = Q(contract=contract) | Q(contract__startswith=f"{contract}@")
        records = records.filter(kind)
    for word in q.split()[:8]:
        records = records.filter(
            Q(name__icontains=word)
            | Q(summary__icontains=word)
            | Q(contract__icontains=word)
            | Q(variant__icontains=word)
            | Q(paper__icontains=word)
        )
    return operator_rows(records.order_by("name")[offset : offset + limit])


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
    newest = newest_runs(Run.objects.filter(operator__in=[record.pk for record in found]))
    runs = {run.operator_id: run for run in newest.annotate(best=Max("scores__speedup"))}
    return tuple(_row(record, runs.get(record.pk)) for record in found)


def _row(record: OperatorRecord, run: Run | None) -> OperatorRow:
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


def operator_detail(name: str) -> OperatorDetail:
    """Return one operator with every run and release of it.

    Raises:
        Missing: there is none of this name.
    """
    records = newest_records().filter(name=name)
    rows = operator_rows(records)
    if not rows:
        raise Missing(f"no operator {name!r}; search with /api/v1/operators?q=")
    history = list(
        OperatorRecord.objects.filter(name=name)
        .select_related("release__plugin", "release__artifact", "release__submission")
        .order_by("-release")
    )
    newest = history[0]
    plugin = newest.release.plugin
    return OperatorDetail(
        operator=rows[0],
        plugin_summary=plugin.summary,
        install=f"dougong install {plugin.canonical}=={newest.release.version}",
        metadata=newest.metadata,
        runs=run_rows(runs_with_scores().filter(operator__name=name).order_by("-recorded_at")),
        releases=tuple(_release(record) for record in history),
    )


def _release(record: OperatorRecord) -> ReleaseRow:
    release = record.release
    return ReleaseRow(
        version=release.version,
        sha256=release.artifact.sha256,
        filename=release.artifact.filename,
        size_bytes=release.artifact.size_bytes,
        published_at=release.created_at,
        sealed=isinstance(release.sealed_at, dt.datetime),
        yanked_reason=release.yanked_reason,
        submission_id=release.submission.pk,
    )
