"""Operators, one by one; lists of them are in `dougong_registry.search`."""

from __future__ import annotations

import datetime as dt

from dougong_registry.boards.pages import OperatorPage
from dougong_registry.boards.rows import OperatorDetail, OperatorRow, ReleaseRow
from dougong_registry.boards.selectors.runs import (
    gates_of,
    run_lines,
    run_rows,
    runs_with_scores,
)
from dougong_registry.boards.selectors.training import lessons_learnt
from dougong_registry.boards.selectors.upkeep import notices_standing
from dougong_registry.plugins.models import OperatorRecord, Release
from dougong_registry.problem import Missing
from dougong_registry.runs.models import Run
from dougong_registry.search import selectors as search

HISTORY = 50
"""Releases and runs of one answer, the newest."""
_SHOWN = (
    "release__version",
    "release__created_at",
    "release__sealed_at",
    "release__yanked_reason",
    "release__plugin__canonical",
    "release__plugin__summary",
    "release__artifact__sha256",
    "release__artifact__filename",
    "release__artifact__size_bytes",
    "release__submission__id",
)
"""What a row of a release says, and not the metadata of fifty."""


def operator_detail(name: str) -> OperatorDetail:
    """Return one operator with every run and release of it.

    Raises:
        Missing: there is none of this name.
    """
    row, history = _history(name)
    release = history[0].release
    return OperatorDetail(
        operator=row,
        plugin_summary=release.plugin.summary,
        install=_install(release),
        metadata=history[0].metadata,
        runs=run_rows(
            runs_with_scores().filter(operator__in=history).order_by("-recorded_at")[:HISTORY]
        ),
        releases=tuple(map(_release, history)),
        notices=notices_standing(operator_name__name=name),
    )


def operator_page(name: str, *, limit: int, offset: int = 0) -> OperatorPage:
    """Return what the page of an operator shows; of the runs, only those in force with scores.

    Args:
        name: `provider/name`.
        limit: Runs of the history at most.
        offset: Runs of the history to skip.

    Raises:
        Missing: there is none of this name.
    """
    row, history = _history(name)
    release = history[0].release
    runs = Run.objects.filter(operator__in=history)
    in_force = runs_with_scores().filter(operator__in=history, superseded_at__isnull=True)
    current = run_rows(in_force.order_by("-recorded_at")[:HISTORY])
    return OperatorPage(
        operator=row,
        plugin_summary=release.plugin.summary,
        install=_install(release),
        metadata=history[0].metadata,
        current=current,
        lessons=lessons_learnt(row.contract, (run.id for run in current)),
        gates=gates_of(row.run_id),
        runs=run_lines(runs, current, limit=limit, offset=offset),
        run_count=runs.count(),
        releases=tuple(map(_release, history)),
        notices=notices_standing(operator_name__name=name),
    )


def _history(name: str) -> tuple[OperatorRow, list[OperatorRecord]]:
    row = search.entry(name)
    if row is None:
        raise Missing(f"no operator {name!r}; search with /api/v1/operators?q=")
    records = (
        OperatorRecord.objects.filter(name=name)
        .select_related("release__plugin", "release__artifact", "release__submission")
        .only("name", *_SHOWN)
        .order_by("-release")
    )
    return row, list(records[:HISTORY])


def _install(release: Release) -> str:
    return f"dougong install {release.plugin.canonical}=={release.version}"


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
