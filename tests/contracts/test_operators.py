"""Every first-party operator has a paper, a reference and a test, and metadata loads no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dougong.catalogue import Catalogue, Entry
from dougong.operator import resolve

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = Catalogue.load(["dougong_plugins", "dougong_kernels"]).entries


@pytest.fixture(params=sorted(ENTRIES))
def entry(request: pytest.FixtureRequest) -> Entry:
    return ENTRIES[request.param]


def test_operator_has_a_paper_and_a_summary(entry: Entry) -> None:
    assert entry.operator.paper
    assert entry.operator.summary


def test_operator_has_a_reference_that_can_be_imported(entry: Entry) -> None:
    assert callable(resolve(entry.operator.reference))


def test_operator_has_a_docstring_and_can_be_imported(entry: Entry) -> None:
    target = entry.operator.load()
    assert (target.__doc__ or "").strip()


def test_operator_is_named_in_a_test(entry: Entry) -> None:
    folders = (ROOT / "tests" / "plugins", ROOT / "tests" / "kernels")
    tests = (path for folder in folders for path in folder.rglob("test_*.py"))
    assert any(entry.operator.name in path.read_text() for path in tests)


def test_every_family_is_represented() -> None:
    families = {entry.operator.family for entry in ENTRIES.values()}
    assert families == {"attention", "norm", "activation", "optimizer", "backend", "transform"}


def test_metadata_loads_no_torch() -> None:
    code = (
        "import sys; from dougong.catalogue import Catalogue; "
        "assert Catalogue.load(['dougong_plugins']).entries; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
