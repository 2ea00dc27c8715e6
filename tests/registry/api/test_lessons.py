"""Verdicts on optimizers: what they learnt is computed again, recorded and shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from django.test import Client

from dougong_ci.report.means import mean_of
from dougong_ci.report.verdict import QualityRow, Verdict
from dougong_registry.audit.models import Entry
from dougong_registry.runs.models import Lesson, Run

CONTRACT = "optimizer.train@1"


def means(values: Sequence[float | None]) -> dict[str, Any]:
    return {"values": list(values), **dataclasses.asdict(mean_of(values))}


def lesson(task: str = "text", **params: Any) -> QualityRow:
    return QualityRow(
        task=task,
        params={
            "final_loss": means([2.5, 2.4, 2.6]),
            "steps_to_target": means([40, 50, None]),
            "ms_to_target": means([400.0, 500.0, None]),
            "state_bytes_per_parameter_byte": 2.0,
            **params,
        },
        metric="nats_per_byte",
        exact=2.6,
        candidate=2.5,
        retained=1.0,
        floor=0.9,
        passed=True,
    )


@pytest.fixture
def train(runner, job, verdict_of):
    """Send a verdict on an optimizer with these lessons."""
    runner.claim(job)
    told = {"name": "acme/steps", "contract": CONTRACT, "variant": "Steps"}
    declared = {"dtypes": ["float32"], "modes": ["train"]}
    runner.tell(job, {"kind": "discovered", "operators": [told | declared]})

    def send(*lessons: QualityRow):
        verdict: Verdict = verdict_of(job, "acme/steps", cases=[])
        verdict.contract, verdict.suite = CONTRACT, f"{CONTRACT}/2026.1"
        verdict.quality = list(lessons)
        return runner.send(job, verdict)

    return send


def test_lessons_are_recorded_and_stand_on_the_board_and_with_the_operator(train):
    turned = dataclasses.replace(lesson("turned"), params={"lesson": "digits", "steps": 40})
    assert train(lesson(), lesson("digits"), turned).status_code == 201
    rows = Lesson.objects.order_by("task")
    assert [(row.task, row.starts, row.reached) for row in rows] == [
        ("digits", 3, 2),
        ("text", 3, 2),
    ]
    text = rows[1]
    assert (text.final_loss, text.steps_to_target, text.state_share) == (2.5, 45.0, 2.0)
    assert text.final_loss_low == pytest.approx(2.5 - 4.30 * 0.1 / 3**0.5)
    board = Client().get(f"/boards/{CONTRACT}/").content.decode()
    for said in ("Trained on text", "Trained on digits", "2.252 to 2.748", "2 of 3 starts"):
        assert said in board
    assert "Nothing is ranked" not in board
    page = Client().get("/operators/acme/steps/").content.decode()
    assert "What does it reach?" in page
    assert "2.252 to 2.748" in page


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"final_loss": {**means([2.5, 2.4]), "mean": 2.0}}, "mean of final_loss"),
        ({"final_loss": {**means([2.5, 2.4]), "ci_low": None}}, "ci_low of final_loss"),
        ({"steps_to_target": {**means([None, None]), "mean": 3}}, "mean of steps_to_target"),
        ({"final_loss": means([])}, "must give the final loss of every start"),
        ({"steps_to_target": means([40])}, "must give the final loss of every start"),
        ({"ms_to_target": means([1.0] * 101)}, "at most 100 starts"),
        ({"ms_to_target": {**means([1.0, 2.0]), "values": ["1", 2.0]}}, "numbers and nulls"),
        ({"final_loss": 2.5}, "must hold the values"),
        ({"state_bytes_per_parameter_byte": "two"}, "must be a number"),
    ],
)
def test_a_lesson_that_does_not_add_up_is_refused_with_the_reason(train, params, why):
    answer = train(lesson(**params))
    assert answer.status_code == 422
    assert why in answer.json()["detail"]
    assert not Lesson.objects.exists()
    assert not Run.objects.exists()
    assert why in Entry.objects.get(verb="run.refused").payload


def test_two_lessons_of_one_task_are_refused(train):
    answer = train(lesson(), lesson())
    assert answer.status_code == 422
    assert "each of another task" in answer.json()["detail"]


def test_what_only_looks_like_a_lesson_is_none_under_another_contract(runner, job, verdict_of):
    runner.claim(job)
    runner.discover(job)
    verdict = verdict_of(job)
    verdict.quality = [lesson()]
    assert runner.send(job, verdict).status_code == 201
    assert not Lesson.objects.exists()
