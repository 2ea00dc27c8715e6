from __future__ import annotations

import pytest
import torch

from dougong.contracts import contract
from dougong_ci.judge.answers import Answers
from dougong_ci.judge.memory import LATE, Buffers, image, shared_bytes
from dougong_ci.judge.nearby import single_change
from dougong_ci.runner import packing
from dougong_ci.runner.device import mapped


@pytest.fixture
def shown() -> tuple[Buffers, torch.Tensor]:
    given = {"x": torch.randn(400, 33)}
    in_plan = packing.plan(given)
    out_plan = packing.plan({"y": torch.empty(400, 33)}, contiguous=True)
    made = Buffers.make(
        mapped(shared_bytes(in_plan.total)),
        mapped(shared_bytes(out_plan.total)),
        in_plan,
        out_plan,
    )
    packed = image(in_plan, given)
    made.reveal(packed)
    return made, packed


def test_what_is_shown_is_what_was_packed_to_the_byte(shown):
    made, packed = shown
    before = packed.clone()
    made.reveal(packed)
    assert torch.equal(made.inputs, packed)
    assert torch.equal(packed, before)


def test_while_inputs_are_shown_some_lines_hold_those_of_other_places(shown):
    made, packed = shown
    seen: list[torch.Tensor] = []

    class Watching(torch.Tensor):
        def copy_(self, source):
            made_inputs.copy_(source)
            seen.append(made_inputs.clone())
            return self

    made_inputs = made.inputs
    made.inputs = made_inputs.as_subclass(Watching)
    made.reveal(packed)
    made.inputs = made_inputs
    lines = (seen[0] != packed).view(-1, 64).any(-1)
    assert 0 < int(lines.sum()) <= len(lines) // 32 + 1
    assert torch.equal(made.inputs, packed)


def test_an_output_written_after_the_answer_is_found_with_the_share_that_was_late(shown):
    made, packed = shown
    (slot,) = made.out_plan.slots.values()
    found = 0
    for _ in range(20):
        made.reveal(packed)
        y = slot.view(made.outputs)
        y[:200] = 1.0
        made.glance()
        y[200:] = 1.0
        found += made.strays(packed) == LATE
    assert found >= 19


def test_an_output_complete_at_the_answer_is_no_late_one(shown):
    made, packed = shown
    (slot,) = made.out_plan.slots.values()
    slot.view(made.outputs).fill_(1.0)
    made.glance()
    assert made.strays(packed) is None


@pytest.mark.parametrize("workload", ["values-normal", "layout-transposed", "layout-offset"])
def test_a_single_change_changes_one_element_and_leaves_the_layout(workload: str):
    rms = contract("norm.rms@1")
    answers = Answers(rms, seed=7)
    (work,) = [each for each in rms.workloads if each.name == workload]
    answer = answers.forward(work, torch.float32, 1)
    near = single_change(answers, answer)
    assert near is not None
    differing = 0
    for name, value in answer.case.tensors.items():
        other = near.case.tensors[name]
        if value is not None and other is not None:
            differing += int((value != other).sum())
            assert (value.stride(), value.storage_offset()) == (
                other.stride(),
                other.storage_offset(),
            )
    assert differing == 1
    assert not torch.equal(near.golden[0], answer.golden[0])
