"""When two runs of one operator say different things."""

from __future__ import annotations

import math
import random

import pytest

from dougong_ci.report.score import score_cases
from dougong_ci.report.verdict import SpeedCase
from dougong_registry.runs.comparing import Found, Measured, differences

BOARD = ("float32", "infer")


def found(speedup: float, width: float = 1.02, error: float | None = 1e-7, outcome="passed"):
    row = Measured(
        speedup=speedup, ci_low=speedup / width, ci_high=speedup * width, relative_l2=error
    )
    return Found(outcome=outcome, boards={BOARD: row})


def said(before: Found, after: Found) -> list[tuple[str, bool]]:
    return [(each.what, each.worse) for each in differences(before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (found(1.5), found(1.5), []),
        (found(1.5), found(1.4), [("speed", True)]),
        (found(1.4), found(1.5), [("speed", False)]),
        # Apart, but by less than anybody feels.
        (found(1.5, 1.001), found(1.46, 1.001), []),
        # By much, but not surely.
        (found(1.5, 1.1), found(1.3, 1.1), []),
        (found(1.5), found(1.5, error=1.9e-7), []),
        (found(1.5), found(1.5, error=2.1e-7), [("error", True)]),
        (found(1.5, error=1e-6), found(1.5, error=1e-9), []),
        (found(1.5, error=None), found(1.5, error=1.0), []),
        (found(1.5), found(1.2, error=1e-3), [("speed", True), ("error", True)]),
        (found(1.5), found(1.5, outcome="failed"), [("outcome", True)]),
        (found(1.5, outcome="failed"), found(1.2), [("outcome", False)]),
    ],
)
def test_what_differs_and_which_way(before, after, expected):
    assert said(before, after) == expected


def test_a_board_that_only_one_measured_is_not_compared():
    other = Found(outcome="passed", boards={("bfloat16", "infer"): found(9.0).boards[BOARD]})
    assert said(found(1.5), other) == []


def test_the_words_name_both_intervals_and_the_board():
    (one,) = differences(found(1.5), found(1.2))
    assert one.words == "1.50x [1.47, 1.53] before, 1.20x [1.18, 1.22] now (float32 infer)"


def session(draw: random.Random, speedup: float, restarts: int = 7) -> Found:
    """A session as the judge scores one: noise of 3 % a restart, another level each session."""
    level = draw.gauss(0, 0.005)
    case = SpeedCase(
        workload="w",
        params={},
        dtype="float32",
        mode="infer",
        weight=1.0,
        baseline="torch",
        baseline_us=[[100.0] for _ in range(restarts)],
        candidate_us=[
            [100.0 / (speedup * math.exp(level + draw.gauss(0, 0.03)))] for _ in range(restarts)
        ],
        control_us=[],
    )
    (score,) = score_cases([case], seed=draw.randrange(2**31))
    row = Measured(speedup=score.speedup, ci_low=score.ci_low, ci_high=score.ci_high)
    return Found(outcome="passed", boards={BOARD: row})


def test_the_same_operator_is_seldom_called_different_and_a_slower_one_nearly_always():
    draw = random.Random(11)
    pairs = 30
    same = sum(bool(differences(session(draw, 1.5), session(draw, 1.5))) for _ in range(pairs))
    worse = sum(bool(differences(session(draw, 1.5), session(draw, 1.2))) for _ in range(pairs))
    assert same <= 2
    assert worse >= pairs - 2
