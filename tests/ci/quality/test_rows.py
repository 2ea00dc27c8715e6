from __future__ import annotations

import random

import pytest

from dougong_ci.quality.rows import (
    at_most,
    failure,
    non_inferiority,
    share,
    summary,
    upper_95,
    worst_of,
)
from dougong_ci.report.verdict import QualityRow


def row(task: str, retained: float, *, floor: float = 0.0, length: int = 256) -> QualityRow:
    return QualityRow(
        task=task,
        params={"length": length},
        metric="accuracy",
        exact=1.0,
        candidate=retained,
        retained=retained,
        floor=floor,
        passed=retained >= floor,
        reason="" if retained >= floor else f"{task} is too low",
    )


@pytest.mark.parametrize("draws", [5, 8, 24])
def test_the_upper_bound_misses_the_truth_in_about_one_of_twenty(draws: int):
    source = random.Random(draws)
    missed = sum(
        upper_95([source.gauss(0.01, 0.05) for _ in range(draws)]) < 0.01 for _ in range(4000)
    )
    assert 0.035 < missed / 4000 < 0.065


def test_the_bound_of_a_share_leaves_room_where_little_was_asked():
    assert at_most(0.0, 4) > at_most(0.0, 16) > 0
    assert at_most(1.0, 8) == pytest.approx(1)
    assert at_most(0.25, 128) < 0.35 < at_most(0.25, 8)


def test_non_inferiority_is_a_matter_of_the_upper_bound():
    _, fine = non_inferiority([0.001, 0.002, 0.0, 0.001, 0.002])
    upper, loose = non_inferiority([0.0, 0.05, -0.04, 0.03, 0.01])
    assert fine.startswith("non-inferior")
    assert loose.startswith("inferior")
    assert upper > 0.02


def test_the_share_lies_between_nothing_and_exact():
    assert share(1.5, blind=2.5, exact=1.5) == 1
    assert share(2.0, blind=2.5, exact=1.5) == 0.5
    assert share(9.0, blind=2.5, exact=1.5) == 0
    assert share(1.2, blind=2.5, exact=1.5) == 1


def test_the_worst_is_a_task_at_its_length_and_never_an_error_of_the_output():
    rows = [row("text", 0.9), row("recall", 0.3, length=1024), row("output", 0.1)]
    worst, here = worst_of(rows), worst_of(rows, 256)
    assert worst is not None
    assert here is not None
    assert (worst.task, here.task) == ("recall", "text")
    assert worst_of(rows, 4096) is None
    assert "recall at 1024 tokens retains 30%" in summary(rows)


def test_a_failure_names_the_worst_row_below_its_floor():
    rows = [row("text", 0.9), row("copy", 0.2, floor=0.5), row("recall", 0.1, floor=0.5)]
    assert failure(rows) == "2 of 3 rows below their floor: recall is too low"
    assert failure(rows[:1]) == ""
