"""Every folder in contrib/ is well-formed, says what it stands on, and does no harm without it."""

from __future__ import annotations

import ast
import re
import shutil
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from dougong.catalogue import Catalogue
from dougong_ci.contribution import read
from dougong_ci.contribution.judging import BEGUN, FOLDER, stored
from dougong_ci.intake.project import folder_of
from dougong_ci.judge import PROFILES, JudgeRequest, judge
from dougong_ci.judge.building import build_wheel
from dougong_ci.judge.dependencies import parse
from dougong_ci.report.verdict import Outcome

CONTRIB = Path(__file__).resolve().parents[2] / "contrib"
FOLDERS = sorted(path.parent for path in CONTRIB.glob("*/pyproject.toml"))
ADAPTERS = [each for each in FOLDERS if "\n[upstream]" in (each / "plugin.toml").read_text("utf-8")]
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All packages as if installed, without anything that they need."""
    folder = tmp_path_factory.mktemp("laid-out")
    for each in FOLDERS:
        project = tomllib.loads((each / "pyproject.toml").read_text("utf-8"))["project"]
        package = project["name"].replace("-", "_")
        shutil.copytree(each / package, folder / package)
        info = folder / f"{package}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        ((name, module),) = project["entry-points"]["dougong"].items()
        (info / "entry_points.txt").write_text(f"[dougong]\n{name} = {module}\n")
    return folder


@pytest.fixture(scope="module")
def catalogue(laid_out: Path) -> Iterator[Catalogue]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(laid_out))
        yield Catalogue.at(laid_out)


def named(folder: Path) -> str:
    return folder.name


@pytest.mark.parametrize("folder", FOLDERS, ids=named)
def test_a_folder_is_called_as_a_pull_request_would_have_it(folder: Path):
    assert folder_of(read(folder).project.name) == folder.name


def test_there_are_as_many_as_were_promised():
    packages = {found.upstream.package for found in map(read, FOLDERS) if found.upstream}
    assert len(FOLDERS) >= 15
    assert len(packages) >= 10


@pytest.mark.parametrize("folder", FOLDERS, ids=named)
def test_it_is_well_formed(folder: Path):
    assert read(folder).plugin.endswith(folder.name)


@pytest.mark.parametrize("folder", ADAPTERS, ids=named)
def test_an_adapter_says_whose_package_it_adapts(folder: Path):
    found = read(folder)
    assert found.upstream is not None
    readme = (folder / "README.md").read_text("utf-8")
    for fact in (found.upstream.package, found.upstream.license, found.upstream.requires):
        assert fact in readme


def test_none_is_broken_where_nothing_of_what_they_need_is_installed(catalogue: Catalogue):
    assert [str(each) for each in catalogue.broken] == []


@pytest.mark.parametrize("folder", ADAPTERS, ids=named)
def test_its_operators_say_what_is_missing(catalogue: Catalogue, folder: Path):
    found = read(folder)
    assert found.upstream is not None
    mine = [e for e in catalogue.entries.values() if e.distribution == found.plugin]
    assert {entry.operator.contract for entry in mine} == set(found.contracts)
    for entry in mine:
        operator = entry.operator
        assert f"{found.upstream.package}{found.upstream.requires}" in operator.requires
        assert (operator.upstream, operator.claims) == (found.upstream.url, ())
        # Of the adapter, or of what it adapts.
        assert operator.license in (found.license, found.upstream.license)
        if not installed(found.upstream.package):
            assert found.upstream.package in (entry.unavailable() or "")


@pytest.mark.parametrize("folder", ADAPTERS, ids=named)
def test_what_it_needs_is_listed_by_hash(folder: Path):
    found = read(folder)
    assert found.upstream is not None
    names = {pin.name for pin in parse((folder / "dependencies.txt").read_text("utf-8"))}
    if not installed(found.upstream.package):  # what the judge has already need not be listed
        assert normal(found.upstream.package) in {normal(name) for name in names}


@pytest.mark.parametrize("folder", ADAPTERS, ids=named)
def test_it_calls_upstream_and_is_known_by_nobody_else(folder: Path):
    """The operator's module imports the package, the registration does not."""
    found = read(folder)
    package = folder / found.plugin.replace("-", "_")
    # A table of its own may lie beside the registration, which needs nothing either.
    assert imports(package / "__init__.py") - {package.name} == {"__future__", "dougong"}
    if (table := package / "table.py").exists():
        assert imports(table) <= {"__future__", "collections", "dataclasses", "typing"}
    modules = [path for path in package.glob("*.py") if path.name != "__init__.py"]
    used = set().union(*map(imports, modules)) - {"__future__", "torch", "copy", "os"}
    assert used - {"collections"}, f"{found.plugin} must call {found.upstream}"
    assert not used & {"dougong_ci", "dougong_registry", "dougong_plugins"}


@pytest.mark.parametrize("folder", FOLDERS, ids=named)
def test_its_stored_verdicts_are_of_its_operators(catalogue: Catalogue, folder: Path):
    files = list((folder / FOLDER).glob("*.json"))
    if not files:
        pytest.skip("no verdict is stored: make judge-contrib")
    if (folder / FOLDER / BEGUN).exists():
        pytest.skip("not all of it is judged: make judge-contrib")
    verdicts = list(stored(folder))
    assert len(verdicts) == len(files)
    mine = {n for n, e in catalogue.entries.items() if e.distribution == read(folder).plugin}
    assert {str(each.subject.operator["name"]) for each in verdicts} == mine


def test_one_of_them_is_judged_for_accuracy(tmp_path: Path):
    """One whose upstream a developer has anyway."""
    if not installed("torchao"):
        pytest.skip("torchao is not installed")
    wheel = build_wheel(CONTRIB / "torchao-weight-only", tmp_path)
    (verdict,) = judge(JudgeRequest(path=wheel, profile=PROFILES["accuracy"]))
    assert [gate.summary for gate in verdict.gates if gate.outcome is Outcome.FAILED] == []
    assert verdict.code == "INCONCLUSIVE_UNMEASURED", verdict.summary


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
