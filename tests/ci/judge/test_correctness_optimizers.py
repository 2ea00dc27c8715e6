"""What the judge asks of optimizers beyond the steps of the contract."""

from __future__ import annotations

import pytest
import torch

from dougong import contracts
from dougong_ci.judge import optimizers
from dougong_ci.judge.answers import Answers, compared
from dougong_ci.lint.killing import baseline, judged, quick
from dougong_ci.runner import exercises

pytestmark = pytest.mark.timeout(300)

CONTRACT = contracts.contract("optimizer.step@1")


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def answers() -> Answers:
    return Answers(CONTRACT, 5)


@pytest.mark.parametrize("variant", CONTRACT.variants)
def test_training_gets_somewhere_and_float32_stays_in_the_band(answers, variant: str):
    for answer in optimizers.trained(answers, variant, torch.float32):
        (curve,) = answer.golden
        assert len(curve) == optimizers.CHECKPOINTS
        assert float(curve[-1]) < 0.5 * float(curve[0])
        for native in answer.natives:
            assert compared(answer.contract, answer, 0, native[0]).passed


@pytest.mark.parametrize("variant", CONTRACT.variants)
def test_a_rate_that_is_a_tenth_off_leaves_the_band(answers, variant: str):
    refused = []
    for answer in optimizers.trained(answers, variant, torch.float32):
        static = dict(answer.case.static)
        hyperparameters = {**static["hyperparameters"], "lr": 1.1 * optimizers.RATES[variant]}
        case = type(answer.case)(
            tensors=answer.case.tensors, static={**static, "hyperparameters": hyperparameters}
        )
        bound = answer.contract.bind(answer.contract.reference, case)
        refused.append(not compared(answer.contract, answer, 0, bound(case.tensors)[0]).passed)
    assert any(refused)


def test_groups_schedules_and_missing_gradients_have_one_right_answer(answers):
    plain, *_ = (
        answers.forward(w, torch.float32) for w in CONTRACT.workloads if w.name == "adamw-decayed"
    )
    named = {
        answer.workload.name.partition("+")[2]: answer
        for answer in optimizers.exact_steps(answers, "adamw", torch.float32)
    }
    assert set(named) == {"groups", "schedule", "absent-gradients"}
    assert torch.equal(named["groups"].golden[0], plain.golden[0])
    assert not torch.equal(named["groups"].golden[-1], plain.golden[-1])
    assert not torch.equal(named["schedule"].golden[0], plain.golden[0])
    untouched = plain.case.tensors["p3"].double()
    assert torch.equal(named["absent-gradients"].golden[3], untouched)


def test_state_is_weighed_and_reported():
    contract = quick("optimizer.step@1")
    gates = judged(contract, baseline(contract), "adamw", hasty=False).gates
    share = gates["accuracy"].measurements["state_bytes_per_parameter_byte"]
    assert 2.0 <= share < 2.1


def test_an_exercise_is_named_after_its_contract_and_called_in_another_way():
    exercise = exercises.contract(optimizers.EXERCISE)
    assert exercise.id == "optimizer.step@1#training"
    assert exercise.baselines == CONTRACT.baselines
    assert exercise.bind is not CONTRACT.bind
    assert exercises.contract("norm.rms@1").id == "norm.rms@1"
