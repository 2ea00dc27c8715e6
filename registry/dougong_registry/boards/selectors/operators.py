"""Operators, one by one; lists of them are in `dougong_registry.search`."""

from __future__ import annotations

import datetime as dt

from dougong_registry.boards.rows import OperatorDetail, ReleaseRow
from dougong_registry.boards.selectors.runs import run_rows, runs_with_scores
from dougong_registry.boards.selectors.upkeep import notices_standing
from dougong_registry.plugins.models import OperatorRecord
from dougong_registry.problem import Missing
from dougong_registry.search import selectors as search

HISTORY = 50
"""Releases and runs of one page, the newest."""


def operator_detail(name: str) -> OperatorDetail:
    """Return one operator with every run and release of it.

    Raises:
        Missing: there is none of this name.
    """
    row = search.entry(name)
    if row is None:
        raise Missing(f"no operator {name!r}; search with /api/v1/operators?q=")
    history = list(
        OperatorRecord.objects.filter(name=name)
        .select_related("release__plugin", "release__artifact", "release__submission")
        .defer("metadata")
        .order_by("-release")[:HISTORY]
    )
    newest = history[0]
    plugin = newest.release.plugin
    return OperatorDetail(
        operator=row,
        plugin_summary=plugin.summary,
        install=f"dougong install {plugin.canonical}=={newest.release.version}",
        metadata=newest.metadata,
        runs=run_rows(
            runs_with_scores().filter(operator__in=history).order_by("-recorded_at")[:HISTORY]
        ),
        releases=tuple(_release(record) for record in history),
        notices=notices_standing(operator_name__name=name),
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
