"""What a plugin's pyproject.toml says of it, read as data and held to the rules of names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from dougong_ci.intake.findings import Finding
from dougong_ci.intake.tables import Fields, fields_of

NAME = "pyproject.toml"
ADAPTER = "contrib-"
"""Begins the name of a distribution that adapts somebody else's, so that it is not taken for it."""
WHEELS = "dependencies.txt"
"""What the judge is to fetch for its sandbox, by hash."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A plugin as its build sees it."""

    name: str
    version: str
    """As PEP 440 spells it."""
    license: str
    needs: frozenset[str]
    """Canonical names of what it needs to run, to build, and in its extras."""
    requires: frozenset[str]
    """What it needs to run, with versions."""


def read(data: bytes | None, folder: str, path: str) -> tuple[Project | None, list[Finding]]:
    """Read a pyproject.toml; return the project, and what is wrong with it.

    Args:
        data: The file; None where there is none.
        folder: Name of the plugin's folder, which must be the project's; empty where it need not.
        path: Of the file, for the findings.
    """
    file = fields_of(data, path)
    if file.found:
        return None, file.found
    if not (tables := file.tables("project")):
        file.wrong("metadata", f"{path} has no [project]; see `dougong new`")
        return None, file.found
    found = _read(file.table, tables[0], folder)
    return (None if file.found else found), file.found


def folder_of(name: str) -> str:
    """Return the folder of a project: its name, less the prefix by which adapters are told."""
    return canonicalize_name(name).removeprefix(ADAPTER)


def _read(file: Mapping[str, Any], project: Fields, folder: str) -> Project:
    name, version = (str(project.value(key) or "") for key in ("name", "version"))
    wanted = folder_of(name)
    if folder and wanted != folder:
        must = f"the project {name!a} belongs in a folder {wanted!r}, this one is {folder!r}"
        project.wrong("name", must, "name")
    try:
        version = str(Version(version))
    except InvalidVersion:
        wrong = f"[project] needs a version of PEP 440, got {version!a}"
        project.wrong("version", wrong, "version")
    spdx = project.licence()
    points = project.value("entry-points")
    if not isinstance(points, dict) or not points.get("dougong"):
        wrong = "there is no [project.entry-points.dougong]; see `dougong new`"
        project.wrong("metadata", wrong, "project")
    needs: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()
    try:
        needs = _needs(file, project.table)
        requires = frozenset(map(_plain, project.table.get("dependencies", [])))
    except (InvalidRequirement, TypeError, AttributeError) as error:
        wrong = f"a requirement cannot be read: {error}"
        project.wrong("dependencies", wrong, "dependencies")
    return Project(name=name, version=version, license=spdx, needs=needs, requires=requires)


def _plain(requirement: str) -> str:
    return str(Requirement(requirement))


def _needs(file: Mapping[str, Any], project: Mapping[str, Any]) -> frozenset[str]:
    rows = [*project.get("dependencies", [])]
    rows += file.get("build-system", {}).get("requires", [])
    for extra in project.get("optional-dependencies", {}).values():
        rows += extra
    requirements = [Requirement(row) for row in rows]
    if direct := next((each for each in requirements if each.url), None):
        raise InvalidRequirement(f"{direct.name} is taken from an address; use its name alone")
    return frozenset(canonicalize_name(each.name) for each in requirements)
