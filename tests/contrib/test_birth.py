"""What `dougong new` writes, of each contract: it builds, passes its own test, and is judged."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dougong import scaffold
from dougong.operator import FAMILIES
from dougong_ci.contribution import read
from dougong_ci.judge import PROFILES, JudgeRequest, judge
from dougong_ci.judge.building import build_wheel
from dougong_ci.report.verdict import Outcome

KINDS = tuple(scaffold.KINDS)
CHOSEN = (
    "attention.exact",
    "norm.rms",
    "activation.squared_relu",
    "optimizer.step",
    "backend.inference",
    "transform.quantize",
)
"""One a family, to be run and judged; each takes seconds."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("born")
    return {
        kind: scaffold.create(
            kind.partition(".")[0],
            named(kind),
            contract=kind,
            provider="acme",
            directory=base / kind,
        )
        for kind in KINDS
    }


def named(kind: str) -> str:
    return kind.replace(".", "-").replace("_", "-")


@pytest.fixture(scope="module")
def wheels(folders: dict[str, Path], tmp_path_factory) -> dict[str, Path]:
    """Each built as the judge builds: in its sandbox, without a network."""
    target = tmp_path_factory.mktemp("wheels")
    return {kind: build_wheel(folder, target) for kind, folder in folders.items()}


@pytest.fixture(scope="module")
def verdicts(wheels: dict[str, Path], tmp_path_factory):
    """All of them, laid out as one distribution so that torch is loaded once for all of them."""
    whole = tmp_path_factory.mktemp("whole") / "born"
    points = []
    for wheel in (wheels[kind] for kind in CHOSEN):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(whole)
        (info,) = whole.glob("*.dist-info")
        points += (info / "entry_points.txt").read_text().splitlines()[1:]
        shutil.rmtree(info)
    info = whole / "born-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: born\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[dougong]", *points, ""]))
    found = judge(JudgeRequest(path=whole, profile=PROFILES["accuracy"]))
    return {str(each.subject.operator["name"]): each for each in found}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_whole_distribution(folders: dict[str, Path], wheels: dict[str, Path], kind: str):
    found = read(folders[kind])
    assert (found.families, found.upstream) == ((kind.partition(".")[0],), None)
    with zipfile.ZipFile(wheels[kind]) as archive:
        names = archive.namelist()
    assert f"acme_{named(kind).replace('-', '_')}/__init__.py" in names
    lists = [name for name in names if name.endswith("extra_metadata/dependencies.txt")]
    assert len(lists) == 1
    assert not any(name.startswith("tests/") for name in names)


def test_its_own_tests_pass(folders: dict[str, Path]):
    chosen = [folders[kind] for kind in CHOSEN]
    path = os.pathsep.join(map(str, chosen))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-k", "float32"),
            *("-p", "no:cacheprovider", "-p", "no:django", "--rootdir", "/", "-c", os.devnull),
            *(str(folder / "tests") for folder in chosen),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"{len(chosen)} passed" in done.stdout


def test_a_contract_of_every_family_is_chosen():
    assert sorted(kind.partition(".")[0] for kind in CHOSEN) == sorted(FAMILIES)


@pytest.mark.parametrize("kind", CHOSEN)
def test_the_judge_finds_nothing_wrong(verdicts, kind: str):
    gates = verdicts[f"acme/{named(kind)}"].gates
    assert [gate.summary for gate in gates if gate.outcome is Outcome.FAILED] == []
    passed = {gate.name for gate in gates if gate.outcome is Outcome.PASSED}
    assert {"build", "contract", "accuracy", "edges", "determinism"} <= passed
