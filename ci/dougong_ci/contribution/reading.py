"""Reading `plugin.toml` and `release.toml` of a plugin's folder, field by field, nothing run."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from dougong.errors import DougongError
from dougong.operator import FAMILIES

SCHEMA = 1
LEVELS = ("L1", "L2", "L3")
_MAX_BYTES = 64 << 10
_BOUNDS = ("<", "<=", "==", "~=")
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?")
_CONTRACT = re.compile(r"[a-z]+\.[a-z0-9_]+@[1-9][0-9]*")


class ContributionError(DougongError):
    """A plugin's folder does not say what it must; the message has one line a finding."""


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

    folder: Path
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


def read(folder: Path) -> Contribution:
    """Read and check a plugin's folder.

    Raises:
        ContributionError: names every field that breaks its rule, one a line.
    """
    problems: list[str] = []
    project = _table(folder / "pyproject.toml", problems).get("project", {})
    plugin = _Fields(_table(folder / "plugin.toml", problems), "plugin.toml", problems)
    release = _Fields(_table(folder / "release.toml", problems), "release.toml", problems)
    for fields in (plugin, release):
        fields.must("schema", fields.value("schema") == SCHEMA, f"must be {SCHEMA}")
    contribution = Contribution(
        folder=folder,
        plugin=plugin.text("plugin"),
        version=release.text("version"),
        families=plugin.texts("families"),
        license=_licence(plugin),
        owners=_owners(plugin),
        upstream=_upstream(plugin),
        level=release.text("level"),
        contracts=release.texts("contracts"),
        summary=release.text("summary"),
    )
    _agree(contribution, project, plugin, release)
    if not sorted(folder.glob("tests/test_*.py")):
        problems.append("tests/: must have a test_*.py that holds each operator to its contract")
    if not (folder / "README.md").is_file():
        problems.append("README.md: must be there, with the facts in a table")
    if problems:
        raise ContributionError("\n".join(f"{folder.name}/{problem}" for problem in problems))
    return contribution


class _Fields:
    """One table, and the findings about it."""

    def __init__(self, table: dict[str, Any], where: str, problems: list[str]) -> None:
        self._table, self.where, self._problems = table, where, problems

    def value(self, name: str) -> Any:
        return self._table.get(name)

    def text(self, name: str) -> str:
        value = self.value(name)
        good = isinstance(value, str) and bool(value.strip()) and "\n" not in value
        self.must(name, good, "must be one line of text")
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.value(name)
        good = isinstance(value, list) and value and all(isinstance(each, str) for each in value)
        self.must(name, bool(good), "must be a list of one or more texts")
        return tuple(value) if isinstance(value, list) and good else ()

    def tables(self, name: str) -> list[_Fields]:
        value = self.value(name)
        rows = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
        good = [row for row in rows if isinstance(row, dict)]
        return [_Fields(row, f"{self.where}, {name}", self._problems) for row in good]

    def must(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            self._problems.append(f"{self.where}: {name} {rule}, got {self.value(name)!r:.100}")


def _table(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise ValueError(f"may have {_MAX_BYTES >> 10} KiB, got more")
        return tomllib.loads(raw.decode("utf-8"))
    except (OSError, ValueError) as error:
        problems.append(f"{path.name}: cannot be read: {error}")
        return {}


def _owners(plugin: _Fields) -> tuple[Owner, ...]:
    owners = []
    for row in plugin.tables("owners"):
        login, number = row.text("login"), row.value("id")
        row.must("login", bool(_LOGIN.fullmatch(login)), "must be a login")
        good = type(number) is int and number >= 0
        row.must("id", good, "must be the account's number, 0 while there is none")
        owners.append(Owner(login, number if good else 0))
    plugin.must("owners", bool(owners), "must be one or more tables with login and id")
    return tuple(owners)


def _licence(fields: _Fields) -> str:
    licence = fields.text("license")
    try:
        return canonicalize_license_expression(licence)
    except InvalidLicenseExpression:
        fields.must("license", False, "must be an SPDX expression")
        return licence


def _upstream(plugin: _Fields) -> Upstream | None:
    for row in plugin.tables("upstream"):
        requires, url = row.text("requires"), row.text("url")
        row.must("requires", _bounded(requires), "must be versions with an upper bound, >=1.2,<2")
        row.must("url", url.startswith("https://"), "must begin with https://")
        return Upstream(
            package=row.text("package"),
            requires=requires,
            license=_licence(row),
            url=url,
            differs=row.text("differs"),
        )
    return None


def _bounded(text: str) -> bool:
    try:
        return any(each.operator in _BOUNDS for each in SpecifierSet(text))
    except InvalidSpecifier:
        return False


def _agree(
    contribution: Contribution, project: dict[str, Any], plugin: _Fields, release: _Fields
) -> None:
    """Hold the three files to one another."""
    name, version = str(project.get("name", "")), str(project.get("version", ""))
    same = canonicalize_name(contribution.plugin) == canonicalize_name(name)
    plugin.must("plugin", same, f"must be the name in pyproject.toml, {name!r}")
    release.must("version", contribution.version == version, f"must be pyproject.toml's, {version}")
    plugin.must(
        "license",
        contribution.license == project.get("license"),
        f"must be the licence in pyproject.toml, {project.get('license')!r}",
    )
    families = set(contribution.families)
    plugin.must("families", families <= set(FAMILIES), f"must be of {', '.join(FAMILIES)}")
    release.must("level", contribution.level in LEVELS, f"must be of {', '.join(LEVELS)}")
    wrong = [each for each in contribution.contracts if not _CONTRACT.fullmatch(each)]
    release.must("contracts", not wrong, "must be contracts with versions, norm.rms@1")
    asked = {each.partition(".")[0] for each in contribution.contracts}
    release.must("contracts", asked == families, f"must be of the families {sorted(families)}")
    points = project.get("entry-points", {})
    plugin.must("plugin", bool(points.get("dougong")), "must have an entry point of group dougong")
    if contribution.upstream is not None:
        wanted = Requirement(f"{contribution.upstream.package}{contribution.upstream.requires}")
        found = [str(each) for each in map(_requirement, project.get("dependencies", [])) if each]
        plugin.must("upstream", str(wanted) in found, f"must be a dependency: {wanted}")


def _requirement(text: Any) -> Requirement | None:
    try:
        return Requirement(str(text))
    except InvalidRequirement:
        return None
