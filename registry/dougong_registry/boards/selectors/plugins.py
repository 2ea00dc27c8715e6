"""Plugins: listed, one by one, and one release of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from packaging.metadata import parse_email
from packaging.utils import canonicalize_name

from dougong_registry.boards.pages import (
    PluginPage,
    PluginRow,
    RequirementChange,
    VersionPage,
    VersionRow,
)
from dougong_registry.boards.selectors.compatibility import compatibility
from dougong_registry.boards.selectors.records import newest_records, operator_rows
from dougong_registry.boards.selectors.upkeep import notices_standing
from dougong_registry.plugins.models import OperatorName, OperatorRecord, Plugin, Release
from dougong_registry.problem import Missing
from dougong_registry.subqueries import counted


def plugins_list(
    *, q: str = "", owner: int | None = None, limit: int = 100, offset: int = 0
) -> tuple[PluginRow, ...]:
    """Return plugins in the order of their names.

    Args:
        q: Words that must all occur in the name or the summary.
        owner: Row of the identity whose plugins to return; all without it.
        limit: Rows at most.
        offset: Rows to skip.
    """
    plugins = Plugin.objects.all()
    if owner is not None:
        plugins = plugins.filter(owner=owner)
    keys = matching(plugins, q).order_by("canonical").values_list("pk", flat=True)
    # What is skipped is not counted: PostgreSQL would do it for every row before the page.
    page = Plugin.objects.filter(pk__in=list(keys[offset : offset + limit]))
    return tuple(map(plugin_row, with_counts(page).order_by("canonical")))


def with_counts(plugins: QuerySet[Plugin]) -> QuerySet[Plugin]:
    """Add what a row says of a plugin's operators and releases."""
    releases = Release.objects.filter(plugin=OuterRef("pk")).order_by("-pk")
    offered = releases.filter(published_at__isnull=False, yanked_at__isnull=True)
    return plugins.select_related("owner").annotate(
        operator_count=counted(OperatorName.objects.filter(plugin=OuterRef("pk")), "plugin"),
        release_count=counted(releases, "plugin"),
        newest_version=Subquery(releases.values("version")[:1]),
        newest_at=Subquery(releases.values("created_at")[:1]),
        latest=Subquery(offered.order_by("-published_at", "-pk").values("version")[:1]),
    )


def plugin_row(plugin: Plugin) -> PluginRow:
    """Return the row of a plugin that has its counts."""
    made: Any = plugin
    return PluginRow(
        name=plugin.name,
        canonical=plugin.canonical,
        summary=plugin.summary,
        status=plugin.status,
        status_reason=plugin.status_reason,
        owner=plugin.owner.login,
        created_at=plugin.created_at,
        operators=made.operator_count,
        releases=made.release_count,
        version=made.newest_version or "",
        released_at=made.newest_at,
        latest=made.latest or "",
    )


def matching(plugins: QuerySet[Plugin], q: str) -> QuerySet[Plugin]:
    """Keep the plugins whose name or summary holds every word, of which eight count."""
    for word in q.split()[:8]:
        plugins = plugins.filter(Q(name__icontains=word) | Q(summary__icontains=word))
    return plugins


def plugin_detail(name: str, *, limit: int = 100, offset: int = 0) -> PluginPage:
    """Return one plugin with its releases and a page of its operators.

    Raises:
        Missing: there is none of this name.
    """
    plugin = _plugin(name)
    releases = list(_releases(plugin))
    rows = tuple(map(_version, releases))
    current = _current(releases)
    records = newest_records().filter(claimed_name__plugin=plugin).order_by("name")
    operators = operator_rows(records[offset : offset + limit])
    people = [plugin.owner.login, *(row.submitter for row in rows)]
    offered = current is not None and current.published_at is not None and not current.yanked_at
    return PluginPage(
        name=plugin.name,
        canonical=plugin.canonical,
        summary=plugin.summary,
        status=plugin.status,
        status_reason=plugin.status_reason,
        owner=plugin.owner.login,
        created_at=plugin.created_at,
        people=tuple(dict.fromkeys(people)),
        install=f"dougong install {plugin.canonical}=={current.version}"
        if current and offered and plugin.status != "quarantined"
        else "",
        current=_version(current) if current else None,
        core_metadata=_core_metadata(current),
        operators=operators,
        operator_count=plugin.operator_names.count(),
        compatibility=compatibility(records[offset : offset + limit]),
        releases=rows,
        notices=notices_standing(plugin__canonical=plugin.canonical),
    )


def version_detail(name: str, version: str, *, limit: int = 500) -> VersionPage:
    """Return one release: its file, what it needs and what changed in that.

    Raises:
        Missing: there is no such plugin or release.
    """
    plugin = _plugin(name)
    releases = list(_releases(plugin))
    place = next((i for i, each in enumerate(releases) if each.version == version), None)
    if place is None:
        known = ", ".join(each.version for each in releases[:20]) or "none"
        raise Missing(f"{plugin.name} has no release {version!r}; there are: {known}")
    release = releases[place]
    before = releases[place + 1] if place + 1 < len(releases) else None
    records = OperatorRecord.objects.filter(release=release).order_by("name")
    return VersionPage(
        plugin=plugin.name,
        canonical=plugin.canonical,
        status=plugin.status,
        release=_version(release),
        core_metadata_sha256=release.artifact.core_metadata_sha256,
        previous=before.version if before else "",
        requirements=requirement_changes(
            _requirements(_core_metadata(release)),
            _requirements(_core_metadata(before)) if before else None,
        ),
        operators=operator_rows(records[:limit]),
        operator_count=records.count(),
    )


def requirement_changes(
    now: Sequence[str], before: Sequence[str] | None
) -> tuple[RequirementChange, ...]:
    """Say of each requirement whether it came, went or stayed; without a past all of them stay."""
    if before is None:
        return tuple(RequirementChange(requirement=each, change="same") for each in now)
    kept, old = set(now), set(before)
    changes = [(each, "same" if each in old else "added") for each in now]
    changes += [(each, "removed") for each in before if each not in kept]
    return tuple(RequirementChange(requirement=each, change=change) for each, change in changes)


def _plugin(name: str) -> Plugin:
    canonical = canonicalize_name(name)
    plugin = Plugin.objects.select_related("owner").filter(canonical=canonical).first()
    if plugin is None:
        raise Missing(f"no plugin {canonical!r}; see /plugins/")
    return plugin


def _releases(plugin: Plugin) -> QuerySet[Release]:
    return (
        plugin.releases.select_related("artifact", "submission__submitter")
        .defer("artifact__core_metadata")
        .order_by("-pk")
    )


def _current(releases: Sequence[Release]) -> Release | None:
    offered = (each for each in releases if each.published_at and not each.yanked_at)
    return next(offered, releases[0] if releases else None)


def _core_metadata(release: Release | None) -> str:
    return release.artifact.core_metadata if release else ""


def _version(release: Release) -> VersionRow:
    return VersionRow(
        version=release.version,
        filename=release.artifact.filename,
        sha256=release.artifact.sha256,
        size_bytes=release.artifact.size_bytes,
        license=release.license,
        requires_python=release.requires_python,
        uploaded_at=release.created_at,
        sealed=release.sealed_at is not None,
        offered=release.published_at is not None,
        yanked_reason=release.yanked_reason,
        submission_id=release.submission.pk,
        submitter=release.submission.submitter.login,
    )


def _requirements(core_metadata: str) -> list[str]:
    if not core_metadata:
        return []
    raw, _ = parse_email(core_metadata)
    python = raw.get("requires_python")
    return [*([f"python {python}"] if python else []), *raw.get("requires_dist", [])]
