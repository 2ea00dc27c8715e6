"""What the index offers: plugins with a published release, and their files."""

from __future__ import annotations

import dataclasses
import datetime as dt

from django.db.models import OuterRef
from packaging.utils import canonicalize_name

from dougong_registry.advisories.selectors import revoked_among
from dougong_registry.plugins.models import Plugin, Release
from dougong_registry.problem import Missing
from dougong_registry.subqueries import there_is


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One wheel on offer."""

    filename: str
    version: str
    sha256: str
    size_bytes: int
    requires_python: str
    core_metadata_sha256: str
    uploaded_at: dt.datetime
    yanked: bool
    yanked_reason: str

    @property
    def url(self) -> str:
        """Address of the bytes; `.metadata` after it is that of METADATA alone."""
        return f"/files/{self.sha256}/{self.filename}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A plugin as installers see it."""

    name: str
    """Canonical, by PEP 503."""
    status: str
    status_reason: str
    files: tuple[File, ...]

    @property
    def versions(self) -> list[str]:
        """The versions of the files, each once, oldest first."""
        return list(dict.fromkeys(file.version for file in self.files))


def project_names() -> list[str]:
    """Return the canonical names of all plugins that offer something, in order."""
    offered = Release.objects.filter(plugin=OuterRef("pk"), published_at__isnull=False)
    plugins = Plugin.objects.filter(there_is(offered))
    return list(plugins.order_by("canonical").values_list("canonical", flat=True))


def project(name: str) -> Project:
    """Return a plugin with its published files, oldest first; revoked ones are not among them.

    A quarantined plugin has none.

    Raises:
        Missing: no such plugin, or nothing of it is published.
    """
    canonical = canonicalize_name(name)
    releases = list(
        Release.objects.filter(plugin__canonical=canonical, published_at__isnull=False)
        .select_related("plugin", "artifact")
        .defer("artifact__core_metadata")
        .order_by("pk")
    )
    if not releases:
        raise Missing(f"no plugin {canonical} is published here")
    plugin = releases[0].plugin
    revoked = revoked_among(release.artifact.sha256 for release in releases)
    offered = [release for release in releases if release.artifact.sha256 not in revoked]
    return Project(
        name=canonical,
        status=plugin.status,
        status_reason=plugin.status_reason,
        files=() if plugin.status == "quarantined" else tuple(map(_file, offered)),
    )


def _file(release: Release) -> File:
    artifact = release.artifact
    return File(
        filename=artifact.filename,
        version=release.version,
        sha256=artifact.sha256,
        size_bytes=artifact.size_bytes,
        requires_python=release.requires_python,
        core_metadata_sha256=artifact.core_metadata_sha256,
        uploaded_at=artifact.created_at,
        yanked=release.yanked_at is not None,
        yanked_reason=release.yanked_reason,
    )
