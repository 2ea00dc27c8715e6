"""The judge against the catalogue of known cheats: one a mechanism here, all by the self-test."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dougong_ci.judge import JudgeRequest, source

pytestmark = pytest.mark.timeout(600)

CORPUS = Path(__file__).parents[1] / "corpus"


def _loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, CORPUS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


catalogue, layout, selftest = (_loaded(name) for name in ("catalogue", "layout", "selftest"))
FAST = selftest.chosen(fast=True)


@pytest.fixture(scope="module")
def found() -> dict:
    return {each.entry.name: each for each in selftest.selftest(FAST)}


@pytest.mark.parametrize(
    "entry", [e for e in FAST if e is not catalogue.SURVIVOR], ids=lambda e: e.name
)
def test_a_cheat_is_refused_by_the_gate_that_names_why(found, entry):
    each = found[entry.name]
    assert (each.gate, each.code) in entry.expected, each.reason
    assert each.reason.startswith(f"{each.gate}: ")


def test_an_honest_operator_judged_after_a_poisoner_is_unharmed(found):
    each = found[catalogue.SURVIVOR.name]
    assert each.code in selftest.KEPT, each.reason


def test_every_number_of_the_catalogue_is_carried_out_or_says_why_not():
    numbers = [entry.number for entry in (*catalogue.CHEATS, *catalogue.ELSEWHERE)]
    assert set(numbers) == set(range(1, 59))
    assert not {e.number for e in catalogue.ELSEWHERE} & {e.number for e in catalogue.CHEATS}


def test_names_are_unique_and_every_family_is_attacked():
    entries = selftest.chosen(fast=False)
    assert len({entry.name for entry in entries}) == len(entries)
    families = {cheat.contract.partition(".")[0] for cheat in catalogue.CHEATS}
    assert families == {"norm", "attention", "activation", "optimizer", "backend"}


def test_equal_bytes_are_one_submission_however_often_they_are_handed_in(tmp_path: Path):
    digests = []
    for copy in ("first", "second"):
        folder = layout.lay_out(tmp_path / copy, FAST[:1])
        with source.opened(JudgeRequest(path=folder)) as (opened,):
            digests.append(opened.sha256)
    assert digests[0] == digests[1]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(
    os.environ.get("DOUGONG_SELFTEST") != "whole",
    reason="the whole corpus takes minutes: make judge-selftest, or DOUGONG_SELFTEST=whole",
)
def test_the_whole_corpus():
    script = str(CORPUS / "selftest.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
