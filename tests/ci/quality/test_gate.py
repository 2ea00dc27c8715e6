"""What is useless is refused with the task that shows it; what is a trade stands."""

from __future__ import annotations

import dataclasses

import pytest

from dougong_ci.judge.docket import Broken
from dougong_ci.quality.cost import pareto
from dougong_ci.report.verdict import Outcome

pytestmark = pytest.mark.timeout(300)

USELESS = {
    "short-only": {"text", "recall", "copy", "output"},
    "last-keys": {"recall", "copy"},
    "mean": {"text", "recall", "copy", "output"},
    "declared-mean": {"output"},
    "loud-keys": {"recall", "copy"},
}


def rows_of(docket, task: str, length: int):
    return [r for r in docket.quality if r.task == task and r.params["length"] == length]


@pytest.mark.parametrize("name", sorted(USELESS))
def test_what_is_useless_fails_on_the_tasks_that_show_it(examined, name: str):
    docket = examined(name)
    gate = docket.gates["quality"]
    assert (gate.outcome, docket.code) == (Outcome.FAILED, "REJECTED_QUALITY"), gate.summary
    assert {row.task for row in docket.quality if not row.passed} >= USELESS[name]
    assert "below their floor" in gate.summary


def test_exact_for_short_sequences_only_shows_at_the_lengths_that_are_timed(examined):
    docket = examined("short-only")
    assert all(row.retained > 0.95 for row in rows_of(docket, "recall", 256))
    assert all(not row.passed for row in rows_of(docket, "recall", 1024))


def test_an_exact_operator_keeps_everything_and_is_non_inferior(examined):
    docket = examined("honest")
    assert docket.gates["quality"].outcome is Outcome.PASSED, docket.gates["quality"].summary
    assert all(row.retained > 0.99 for row in docket.quality)
    for row in rows_of(docket, "text", 1024):
        assert row.reason.startswith("non-inferior")
        assert abs(row.params["upper_95"]) < 1e-3


def test_a_window_that_says_it_is_one_is_a_trade(examined):
    docket = examined("window")
    assert docket.gates["quality"].outcome is Outcome.PASSED, docket.gates["quality"].summary
    (text,) = rows_of(docket, "text", 1024)
    needles = rows_of(docket, "needle", 1024)
    assert text.retained > 0.8
    assert all(row.retained < 0.5 and row.floor == 0 for row in needles)


def test_a_fall_in_a_task_fails_the_gate_with_its_reason(examined):
    docket = examined("crashing")
    assert docket.gates["quality"].outcome is Outcome.FAILED
    assert "too long for me" in docket.gates["quality"].summary


@pytest.mark.alone
def test_the_calls_that_are_timed_are_those_of_the_tasks(examined, timed):
    docket = examined("honest")
    timed(docket)
    points = pareto(docket.quality, docket.lengths)
    assert [point.length for point in points] == [256, 1024, 4096]
    assert all(0.1 < point.speedup < 10 for point in points)
    assert all(point.retained > 0.99 for point in points)


@pytest.mark.alone
def test_an_operator_that_answers_the_clock_differently_is_caught(examined, timed):
    docket = examined("honest")
    quick = dataclasses.replace(docket.operator, target="liars_code:short_only")
    with pytest.raises(Broken, match="timed at 1024 tokens, it gave other bits than in the task"):
        timed(dataclasses.replace(docket, operator=quick, lengths={}))
