from __future__ import annotations

import math

import pytest

from dougong_ci.report.score import score_cases
from dougong_ci.report.verdict import SpeedCase


def case(
    baseline: list[list[float]],
    candidate: list[list[float]],
    *,
    workload: str = "w",
    weight: float = 1.0,
    mode: str = "infer",
) -> SpeedCase:
    return SpeedCase(
        workload=workload,
        params={},
        dtype="float32",
        mode=mode,
        weight=weight,
        baseline="torch",
        baseline_us=baseline,
        candidate_us=candidate,
        control_us=baseline,
    )


def test_score_is_the_weighted_geometric_mean_of_the_cases():
    twice = case([[2.0] * 3] * 5, [[1.0] * 3] * 5, workload="a", weight=1.0)
    eight = case([[8.0] * 3] * 5, [[1.0] * 3] * 5, workload="b", weight=2.0)
    (score,) = score_cases([twice, eight], seed=1)
    assert score.speedup == pytest.approx(math.exp((math.log(2) + 2 * math.log(8)) / 3))
    assert score.ci_low == pytest.approx(score.speedup) == score.ci_high
    assert (score.coverage, score.restarts) == (1.0, 5)


def test_score_pairs_rounds_so_that_a_slow_moment_cancels():
    slow_moment = [[1.0, 1.0, 50.0, 1.0, 1.0]] * 5
    (score,) = score_cases([case(slow_moment, slow_moment)], seed=1)
    assert score.speedup == 1.0


def test_a_quarter_of_wild_rounds_on_either_side_moves_nothing():
    base = [[2.0] * 9 + [90.0] * 3] * 5
    cand = [[400.0] * 3 + [1.0] * 9] * 5
    (score,) = score_cases([case(base, cand)], seed=1)
    assert score.speedup == pytest.approx(2.0)


def test_every_round_is_compared_with_every_other():
    # ln ratios of all nine pairs: -1, 0, 1, 0, 1, 2, 3, 4, 5 in units of ln 2; the median is 1.
    (score,) = score_cases([case([[2.0, 4.0, 32.0]] * 5, [[1.0, 2.0, 4.0]] * 5)], seed=1)
    assert score.speedup == pytest.approx(2.0)
    (score,) = score_cases([case([[2.0, 4.0, 32.0]] * 5, [[4.0, 1.0, 2.0]] * 5)], seed=1)
    assert score.speedup == pytest.approx(2.0)


def test_interval_of_five_restarts_is_their_range():
    ratios = [0.9, 1.0, 1.1, 1.2, 1.3]
    spread = case([[r] for r in ratios], [[1.0]] * 5)
    (score,) = score_cases([spread], seed=7)
    assert score.speedup == pytest.approx(1.1)
    assert (score.ci_low, score.ci_high) == (pytest.approx(0.9), pytest.approx(1.3))


def test_score_is_repeatable_by_seed():
    spread = case([[1.0 + 0.01 * i] for i in range(20)], [[1.0]] * 20)
    assert score_cases([spread], seed=3) == score_cases([spread], seed=3)


def test_a_case_without_samples_counts_against_coverage_only():
    done = case([[2.0]] * 5, [[1.0]] * 5, weight=3.0)
    missing = case([], [], workload="m", weight=1.0)
    (score,) = score_cases([done, missing], seed=1)
    assert (score.speedup, score.coverage) == (pytest.approx(2.0), 0.75)


def test_boards_are_kept_apart_by_mode():
    infer, train = case([[2.0]] * 5, [[1.0]] * 5), case([[3.0]] * 5, [[1.0]] * 5, mode="train")
    assert [(s.mode, round(s.speedup, 6)) for s in score_cases([train, infer], seed=1)] == [
        ("infer", 2.0),
        ("train", 3.0),
    ]


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_that_is_no_time_is_refused(bad: float):
    with pytest.raises(ValueError, match="positive and finite"):
        score_cases([case([[1.0]] * 5, [[bad]] * 5)], seed=1)


def test_unpaired_samples_are_refused():
    with pytest.raises(ValueError, match="paired"):
        score_cases([case([[1.0]] * 5, [[1.0]] * 4)], seed=1)
    with pytest.raises(ValueError, match="paired"):
        score_cases([case([[1.0, 1.0]], [[1.0]])], seed=1)
