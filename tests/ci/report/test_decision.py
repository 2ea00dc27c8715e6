from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dougong_ci.report.decision import (
    FASTER,
    LOOKS,
    Decision,
    decide,
    decide_board,
    false_accept_bound,
    regressed,
)
from dougong_ci.report.score import by_restart, restart_log_ratios, score_cases
from dougong_ci.report.verdict import SpeedCase

UP, DOWN = math.log(1.10), math.log(0.99)


def case(speedups: list[float], *, workload: str = "w", weight: float = 1.0) -> SpeedCase:
    """One restart for each speed-up, three rounds each."""
    return SpeedCase(
        workload=workload,
        params={},
        dtype="float32",
        mode="infer",
        weight=weight,
        baseline="torch",
        baseline_us=[[100.0 * s] * 3 for s in speedups],
        candidate_us=[[100.0] * 3 for _ in speedups],
        control_us=[[100.0 * s] * 3 for s in speedups],
    )


def test_the_chance_of_a_false_accept_is_below_one_percent_over_all_looks():
    assert 0.009 < false_accept_bound() < 0.01


@pytest.mark.parametrize("restarts", range(7))
def test_before_the_first_look_nothing_is_decided(restarts):
    assert decide([UP] * restarts, FASTER) is Decision.UNDECIDED


@pytest.mark.parametrize(("restarts", "wins"), LOOKS.items())
def test_each_look_needs_its_wins(restarts, wins):
    losses = restarts - wins
    # The losses come first, so that no earlier look has decided.
    assert decide([DOWN] * losses + [UP] * wins, FASTER) is Decision.FASTER
    earlier = [DOWN, UP] * (restarts // 2) + [UP] * (restarts % 2)
    assert decide(earlier, FASTER) is Decision.UNDECIDED


def test_restarts_after_a_decision_do_not_change_it():
    assert decide([UP] * 7 + [DOWN] * 25, FASTER) is Decision.FASTER
    assert decide([DOWN] * 7 + [UP] * 25, FASTER) is Decision.NOT_FASTER


@pytest.mark.parametrize("noise", ["normal", "heavy", "skewed"])
def test_on_the_bar_exactly_no_noise_is_accepted_more_often_than_promised(noise):
    source = random.Random(7)
    draws = {
        "normal": lambda: source.gauss(0, 0.03),
        "heavy": lambda: source.gauss(0, 0.02) / max(1e-3, source.random()),
        "skewed": lambda: source.expovariate(30) - math.log(2) / 30,
    }
    runs = 20_000
    accepted = sum(
        decide([math.log(FASTER) + draws[noise]() for _ in range(32)], FASTER) is Decision.FASTER
        for _ in range(runs)
    )
    # Four standard errors above one percent would still be seen as too many.
    assert accepted / runs < 0.01 + 4 * math.sqrt(0.01 / runs)


@given(st.lists(st.floats(-1, 1), max_size=40))
def test_a_mirrored_sample_gets_the_mirrored_decision(scores):
    mirror = {
        Decision.FASTER: Decision.NOT_FASTER,
        Decision.NOT_FASTER: Decision.FASTER,
        Decision.UNDECIDED: Decision.UNDECIDED,
    }
    assert decide([-s for s in scores], 1.0) is mirror[decide(scores, 1.0)]


def test_one_workload_made_much_worse_is_not_made_up_for_by_another():
    good, bad = case([1.6] * 7, workload="good"), case([0.8] * 7, workload="bad")
    ratios = [restart_log_ratios(c.baseline_us, c.candidate_us) for c in (good, bad)]
    scores = by_restart(ratios, [1.0, 1.0])
    assert decide(scores, FASTER) is Decision.FASTER
    assert regressed([good, bad], ratios) == ["bad"]
    assert decide_board([good, bad], ratios, scores) is Decision.NOT_FASTER


@pytest.mark.parametrize(
    ("speedups", "decision"),
    [
        ([1.2] * 7, "faster"),
        ([1.2] * 6 + [1.0], "undecided"),
        ([1.2] * 12 + [1.0], "faster"),
        ([1.0] * 7, "not_faster"),
        ([1.2] * 5, "undecided"),
    ],
)
def test_a_score_says_what_was_decided(speedups, decision):
    (score,) = score_cases([case(speedups)], seed=1)
    if speedups == [1.2] * 12 + [1.0]:
        assert decide([math.log(s) for s in speedups[:7]], FASTER) is Decision.FASTER
    assert score.decision == decision
