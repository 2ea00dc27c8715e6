"""What a plugin's pyproject.toml says of it, read as data and held to the rules of names."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from dougong_ci.intake.findings import Finding, lint

MAX_BYTES = 64 << 10
NAME = "pyproject.toml"
WHEELS = "dependencies.txt"
"""What the judge is to fetch for its sandbox, by hash."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A plugin as it describes itself."""

    name: str
    version: str
    license: str
    needs: frozenset[str]
    """Canonical names of what it needs to run, to build, and in its extras."""


def read(data: bytes, folder: str, path: str) -> tuple[Project | None, list[Finding]]:
    """Read a pyproject.toml; return the project, and what is wrong with it.

    Args:
        data: The file.
        folder: Name of the plugin's folder.
        path: Of the file, for the findings.
    """
    if len(data) > MAX_BYTES:
        return None, [lint("metadata", f"{path} may have {MAX_BYTES >> 10} KiB", path)]
    try:
        tables = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        return None, [lint("metadata", f"{path} cannot be read: {error}", path)]
    project = tables.get("project")
    if not isinstance(project, dict):
        return None, [lint("metadata", f"{path} has no [project]; see `dougong new`", path)]
    return _read(tables, project, folder, data.decode(), path)


def _read(
    tables: Mapping[str, Any], project: Mapping[str, Any], folder: str, text: str, path: str
) -> tuple[Project | None, list[Finding]]:
    found: list[Finding] = []

    def wrong(rule: str, message: str, word: str) -> None:
        found.append(lint(rule, message, path, _line(text, word)))

    name, version, spdx = (str(project.get(key, "")) for key in ("name", "version", "license"))
    if canonicalize_name(name) != folder:
        wrong("name", f"the project is {name!a}, its folder {folder!r}; they must agree", "name")
    try:
        version = str(Version(version))
    except InvalidVersion:
        wrong("version", f"[project] needs a version of PEP 440, got {version!a}", "version")
    try:
        spdx = str(canonicalize_license_expression(spdx))
    except InvalidLicenseExpression:
        wrong("license", f"license must be an SPDX expression such as MIT, got {spdx!a}", "license")
    entry_points = project.get("entry-points")
    if not isinstance(entry_points, dict) or not entry_points.get("dougong"):
        wrong(
            "metadata", "there is no [project.entry-points.dougong]; see `dougong new`", "project"
        )
    try:
        needs = _needs(tables, project)
    except (InvalidRequirement, TypeError, AttributeError) as error:
        wrong("dependencies", f"a requirement cannot be read: {error}", "dependencies")
        needs = frozenset()
    if found:
        return None, found
    return Project(name=name, version=version, license=spdx, needs=needs), []


def _needs(tables: Mapping[str, Any], project: Mapping[str, Any]) -> frozenset[str]:
    rows = [*project.get("dependencies", [])]
    rows += tables.get("build-system", {}).get("requires", [])
    for extra in project.get("optional-dependencies", {}).values():
        rows += extra
    requirements = [Requirement(row) for row in rows]
    if direct := next((each for each in requirements if each.url), None):
        raise InvalidRequirement(f"{direct.name} is taken from an address; use its name alone")
    return frozenset(canonicalize_name(each.name) for each in requirements)


def _line(text: str, word: str) -> int:
    lines = text.splitlines()
    starts = (f"{word} ", f"{word}=", f"[{word}")
    return next((at for at, line in enumerate(lines, 1) if line.strip().startswith(starts)), 1)
