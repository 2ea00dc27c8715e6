"""Which stored verdicts are current; folders are judged once and again only for a reason."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dougong import scaffold
from dougong_ci.contribution import judging
from dougong_ci.report.verdict import Outcome, Verdict


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("contrib") / "demo"
    return scaffold.create("activation", "demo", provider="acme", directory=target)


@pytest.fixture(scope="module")
def row(folder: Path) -> judging.Row:
    return judging.judge_folder(folder, profile="accuracy")


@pytest.fixture
def verdict(row: judging.Row) -> Verdict:
    (found,) = row.verdicts
    return dataclasses.replace(found, outcome=Outcome.PASSED)


def test_a_folder_is_judged_and_its_verdict_stored(folder: Path, row: judging.Row):
    assert (row.judged, row.error) == (True, "")
    (kept,) = judging.stored(folder)
    assert kept.subject.operator["name"] == "acme/demo"
    assert {gate.name for gate in kept.gates if gate.outcome is Outcome.FAILED} == set()


def test_accuracy_alone_passes_nothing_and_is_current_where_no_more_is_asked(row: judging.Row):
    (found,) = row.verdicts
    assert (found.outcome, found.code) == (Outcome.INCONCLUSIVE, "INCONCLUSIVE_UNMEASURED")
    assert not found.judge["fit_for_board"]
    assert judging.current(found, found.subject.sha256, "accuracy")
    assert not judging.current(found, found.subject.sha256, "quick")


def test_a_busy_machine_is_a_reason_to_judge_again(verdict: Verdict):
    busy = dataclasses.replace(verdict, outcome=Outcome.INCONCLUSIVE, code="INCONCLUSIVE_NOISE")
    assert not judging.current(busy, busy.subject.sha256, "accuracy")


@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED])
def test_a_finding_about_the_same_wheel_is_current(verdict: Verdict, outcome: Outcome):
    told = dataclasses.replace(verdict, outcome=outcome)
    assert judging.current(told, told.subject.sha256, "accuracy")


def test_another_wheel_judge_or_a_lesser_profile_is_not(verdict: Verdict):
    sha256 = verdict.subject.sha256
    assert not judging.current(verdict, "0" * 64, "accuracy")
    assert not judging.current(verdict, sha256, "standard")
    older = dataclasses.replace(verdict, judge={**verdict.judge, "version": "1"})
    assert not judging.current(older, sha256, "accuracy")
    strange = dataclasses.replace(verdict, judge={**verdict.judge, "profile": "made-up"})
    assert not judging.current(strange, sha256, "accuracy")


def test_a_current_verdict_is_not_made_again(folder: Path, verdict: Verdict):
    judging.store(folder, verdict)
    again = judging.judge_folder(folder, profile="accuracy")
    assert not again.judged
    assert [each.id for each in again.verdicts] == [verdict.id]


def test_a_run_that_was_interrupted_goes_on_with_what_has_no_verdict(
    folder: Path, verdict: Verdict
):
    judging.store(folder, verdict)
    mark = folder / judging.FOLDER / judging.BEGUN
    mark.touch()
    again = judging.judge_folder(folder, profile="accuracy")
    assert [each.id for each in again.verdicts] == [verdict.id]
    assert not mark.exists()
    (folder / judging.FOLDER / "acme--demo.json").unlink()
    mark.touch()
    anew = judging.judge_folder(folder, profile="accuracy")
    assert anew.judged
    assert [each.id for each in judging.stored(folder)] == [each.id for each in anew.verdicts]


def test_a_folder_that_is_not_well_formed_says_why(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[project]\n", "utf-8")
    row = judging.judge_folder(tmp_path, profile="accuracy")
    assert "there is no plugin.toml" in row.error
