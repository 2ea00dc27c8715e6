"""Optimizers are judged by what they train: loss, steps and time to a target, memory."""

from __future__ import annotations

import math

import pytest
import torch

import dougong
from dougong import contracts
from dougong.training import SAME, distance
from dougong_ci.judge.answers import Answers
from dougong_ci.judge.docket import Docket
from dougong_ci.quality.aliases import signature
from dougong_ci.quality.gate import Quality
from dougong_ci.quality.learning import LESSONS, gradients
from dougong_ci.quality.optimizers import FLOOR, lead
from dougong_ci.report.verdict import Outcome
from dougong_ci.runner.descent import state_bytes

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def trained(parties, small_profile):
    """Return a function that puts one liar through the gate, once a session."""
    answers = Answers(contracts.contract("optimizer.train@1"), seed=20260101)
    kept: dict[str, Docket] = {}

    def run(name: str) -> Docket:
        if name not in kept:
            operator = dougong.Operator(
                name=f"liar/{name.lower()}",
                contract="optimizer.train@1",
                target=f"liars_optimizers:{name}",
            )
            docket = Docket(operator, None, answers, lambda event: None)
            Quality(docket, parties["candidate"], small_profile).run()
            kept[name] = docket
        return kept[name]

    return run


def row_of(docket, task: str):
    return next(row for row in docket.quality if row.task == task)


class TestHonest:
    def test_it_reaches_the_target_and_is_measured(self, trained):
        docket = trained("honest")
        assert docket.gates["quality"].outcome is Outcome.PASSED, docket.gates["quality"].summary
        for lesson in LESSONS:
            params = row_of(docket, lesson.name).params
            assert params["starts"] >= 3
            assert all(0 < steps <= lesson.steps for steps in params["steps_to_target"]["values"])
            low, high = (params["final_loss"][end] for end in ("ci_low", "ci_high"))
            assert low < params["final_loss"]["mean"] < high
            assert params["ms_to_target"]["mean"] > 0
            assert params["state_bytes_per_parameter_byte"] == pytest.approx(2, abs=0.02)

    def test_gradients_turned_round_lead_it_away(self, trained):
        turned = row_of(trained("honest"), "turned")
        assert turned.passed
        assert turned.candidate > turned.exact

    def test_its_walk_is_signed(self, trained):
        assert len(trained("honest").gates["quality"].measurements["signature"]) == 24


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("timid", "must go 0.9 of the way of momentum"),
        ("Lost", "must go 0.9 of the way of momentum"),
        ("Tired", "RuntimeError: I am tired"),
        ("Exploding", "must go 0.9 of the way of momentum, got 0.00"),
        ("Averaging", "3 of 3 rows below their floor"),
    ],
)
def test_what_does_not_train_is_refused_with_its_reason(trained, name, words):
    docket = trained(name)
    gate = docket.gates["quality"]
    assert (gate.outcome, docket.code) == (Outcome.FAILED, "REJECTED_QUALITY")
    assert words in gate.summary


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
class TestLesson:
    def test_momentum_learns_it_beyond_what_standing_still_or_guessing_gives(self, lesson):
        losses = lead(lesson, 5).losses
        guessing = {"digits": math.log(10), "text": math.log(128)}[lesson.name]
        assert losses[-1] < 0.6 * guessing
        assert losses[-1] < lead(lesson, 5).target < losses[0]
        assert lead(lesson, 5).target == pytest.approx((1 - FLOOR) * losses[0] + FLOOR * losses[-1])

    def test_a_start_depends_on_the_seed_alone(self, lesson):
        one, same, other = (lesson.draw(seed) for seed in (1, 1, 2))
        first, again, third = (gradients(run, run.start, 3) for run in (one, same, other))
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
        assert not any(torch.equal(a, b) for a, b in zip(first, third, strict=True))

    def test_what_one_seed_taught_is_worth_nothing_under_another(self, lesson):
        run = lesson.draw(1)
        params = [p.clone().requires_grad_() for p in run.start]
        optimizer = torch.optim.Adam(params, lr=1e-2)
        for step in range(lesson.steps):
            for p, gradient in zip(params, gradients(run, params, step), strict=True):
                p.grad = gradient
            optimizer.step()
        with torch.no_grad():
            here, there = run.held_out(params), lesson.draw(2).held_out(params)
        assert float(here) < lead(lesson, 1).target
        assert float(there) > lead(lesson, 2).losses[0] - 0.5


def test_state_is_summed_up_through_wrappers_and_without_parameters():
    params = [torch.zeros(10, 10, requires_grad=True)]
    optimizer = torch.optim.Adam(params)
    params[0].grad = torch.ones(10, 10)
    optimizer.step()
    assert state_bytes(optimizer, params) == 2 * 400 + 4


def test_one_rule_at_two_rates_has_one_signature_and_two_rules_have_two(parties, small_profile):
    answers = Answers(contracts.contract("optimizer.train@1"), seed=1)

    def signed(target: str) -> list[float]:
        operator = dougong.Operator(name="liar/x", contract="optimizer.train@1", target=target)
        docket = Docket(operator, None, answers, lambda event: None)
        return signature(docket, parties["candidate"], small_profile)

    adam = signed("liars_optimizers:honest")
    slower = signed("liars_optimizers:slower_honest")
    momentum = signed("liars_optimizers:timid")
    assert distance(adam, slower) < SAME
    assert distance(adam, momentum) > 10 * SAME
