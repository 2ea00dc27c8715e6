"""A plugin's folder as it describes itself: `pyproject.toml`, `plugin.toml`, `release.toml`.

The one reader of these files, for a pull request's blobs and for a folder on disk alike; nothing is
run. docs/contrib.md has the rules, field by field.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from dougong_ci.intake import project as project_file
from dougong_ci.intake.findings import Finding, lint
from dougong_ci.intake.project import Project
from dougong_ci.intake.tables import Fields, fields_of

SCHEMA = 1
LEVELS = ("L1", "L2", "L3")
# The core's own, which is not imported where pull requests are read; a test holds them together.
FAMILIES = ("attention", "norm", "activation", "optimizer", "backend", "transform")
PROJECT, PLUGIN, RELEASE = FILES = (project_file.NAME, "plugin.toml", "release.toml")
_BOUNDS = ("<", "<=", "==", "~=")
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?")
_CONTRACT = re.compile(r"[a-z]+\.[a-z0-9_]+@[1-9][0-9]*")


@dataclasses.dataclass(frozen=True, slots=True)
class Owner:
    """An account at the forge. Logins change hands, numbers do not; 0 while there is none."""

    login: str
    id: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The package that an adapter adapts."""

    package: str
    requires: str
    """Versions it is made for, bounded above: `>=0.2,<0.3`."""
    license: str
    url: str
    differs: str
    """What is different through the adapter; `nothing` is an answer."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What a plugin's folder says of itself."""

    project: Project
    plugin: str
    """Name of the distribution."""
    version: str
    families: tuple[str, ...]
    license: str
    owners: tuple[Owner, ...]
    upstream: Upstream | None
    level: str
    """What kind of change this version is: L1, L2 or L3."""
    contracts: tuple[str, ...]
    summary: str


def read(
    files: Mapping[str, bytes], names: Collection[str], *, folder: str = "", prefix: str = ""
) -> tuple[Contribution | None, list[Finding]]:
    """Read a plugin's folder; return what it says, and what is wrong with it.

    Args:
        files: Those of `FILES` that are there, by name.
        names: Paths of all files of the folder, relative to it.
        folder: Name of the folder, which must be the project's; empty where it need not be.
        prefix: Put before paths in the findings.
    """
    project, found = project_file.read(files.get(PROJECT), folder, prefix + PROJECT)
    plugin = fields_of(files.get(PLUGIN), prefix + PLUGIN)
    release = fields_of(files.get(RELEASE), prefix + RELEASE)
    said: dict[str, Any] = {}
    for each, ask in ((plugin, _plugin), (release, _release)):
        if not each.found:
            each.must("schema", each.value("schema") == SCHEMA, f"must be {SCHEMA}")
            said |= ask(each)
    if project and not plugin.found and not release.found:
        contribution = Contribution(project=project, **said)
        _agree(contribution, plugin, release)
    found = [*found, *plugin.found, *release.found, *_there(names, prefix)]
    return (None if found else contribution), found


def _plugin(fields: Fields) -> dict[str, object]:
    return {
        "plugin": fields.text("plugin"),
        "families": fields.texts("families"),
        "license": fields.licence(),
        "owners": _owners(fields),
        "upstream": _upstream(fields),
    }


def _release(fields: Fields) -> dict[str, object]:
    return {
        "version": fields.text("version"),
        "level": fields.text("level"),
        "contracts": fields.texts("contracts"),
        "summary": fields.text("summary"),
    }


def _owners(plugin: Fields) -> tuple[Owner, ...]:
    owners = []
    for row in plugin.tables("owners"):
        login, number = row.text("login"), row.value("id")
        row.must("login", bool(_LOGIN.fullmatch(login)), "must be a login")
        good = type(number) is int and number >= 0
        row.must("id", good, "must be the account's number, 0 while there is none")
        owners.append(Owner(login, number if good else 0))
    plugin.must("owners", bool(owners), "must be one or more tables with login and id")
    return tuple(owners)


def _upstream(plugin: Fields) -> Upstream | None:
    for row in plugin.tables("upstream"):
        requires, url = row.text("requires"), row.text("url")
        row.must("requires", _bounded(requires), "must be versions with an upper bound, >=1.2,<2")
        row.must("url", url.startswith("https://"), "must begin with https://")
        package, spdx, differs = row.text("package"), row.licence(), row.text("differs")
        return Upstream(package=package, requires=requires, license=spdx, url=url, differs=differs)
    return None


def _bounded(text: str) -> bool:
    try:
        return any(each.operator in _BOUNDS for each in SpecifierSet(text))
    except InvalidSpecifier:
        return False


def _agree(said: Contribution, plugin: Fields, release: Fields) -> None:
    """Hold the three files to one another."""
    project = said.project
    same = canonicalize_name(said.plugin) == canonicalize_name(project.name)
    plugin.must("plugin", same, f"must be the name in pyproject.toml, {project.name!r}")
    same = said.version == project.version
    release.must("version", same, f"must be pyproject.toml's, {project.version}")
    same = said.license == project.license
    plugin.must("license", same, f"must be the licence in pyproject.toml, {project.license!r}")
    families = set(said.families)
    plugin.must("families", families <= set(FAMILIES), f"must be of {', '.join(FAMILIES)}")
    release.must("level", said.level in LEVELS, f"must be of {', '.join(LEVELS)}")
    wrong = [each for each in said.contracts if not _CONTRACT.fullmatch(each)]
    release.must("contracts", not wrong, "must be contracts with versions, norm.rms@1")
    asked = {each.partition(".")[0] for each in said.contracts}
    release.must("contracts", asked == families, f"must be of the families {sorted(families)}")
    if said.upstream is not None:
        wanted = _wanted(said.upstream)
        plugin.must("upstream", wanted in project.requires, f"must be a dependency: {wanted}")


def _wanted(upstream: Upstream) -> str:
    text = f"{upstream.package}{upstream.requires}"
    try:
        return str(Requirement(text))
    except InvalidRequirement:
        return text


def _there(names: Collection[str], prefix: str) -> list[Finding]:
    found = []
    if not any(fnmatchcase(each, "tests/test_*.py") for each in names):
        rule = "tests/ must have a test_*.py that holds each operator to its contract"
        found.append(lint("metadata", rule, f"{prefix}tests"))
    if "README.md" not in names:
        rule = "README.md must be there, with the facts in a table"
        found.append(lint("metadata", rule, f"{prefix}README.md"))
    return found
