from __future__ import annotations

import pytest
import torch

from dougong_ci.judge.memory import Buffers, image, shared_bytes
from dougong_ci.runner import packing, protocol
from dougong_ci.runner.device import mapped


def tensors() -> dict[str, torch.Tensor | None]:
    base = torch.arange(24.0).view(4, 6)
    return {
        "plain": base,
        "transposed": base.clone().t(),
        "offset": torch.arange(7.0)[1:],
        "expanded": torch.tensor([[1.0, 2.0]]).expand(3, 2),
        "mask": torch.tensor([True, False]),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "empty": torch.zeros(0, 5),
        "absent": None,
    }


def test_every_tensor_arrives_with_its_values_and_layout():
    given = tensors()
    plan = packing.plan(given)
    packed = image(plan, given)
    assert set(plan.slots) == set(given) - {"absent"}
    for name, slot in plan.slots.items():
        expected = given[name]
        assert expected is not None
        found = packing.Slot.from_json(slot.to_json()).view(packed)
        assert torch.equal(found, expected)
        assert (found.dtype, found.stride()) == (expected.dtype, expected.stride())


def buffers() -> tuple[Buffers, torch.Tensor]:
    given = tensors()
    in_plan = packing.plan(given)
    out_plan = packing.plan({"out": torch.empty(3, 5)}, contiguous=True)
    made = Buffers.make(
        mapped(shared_bytes(in_plan.total)),
        mapped(shared_bytes(out_plan.total)),
        in_plan,
        out_plan,
    )
    packed = image(in_plan, given)
    made.reveal(packed)
    return made, packed


def test_unwritten_outputs_are_not_a_number_in_every_float_type():
    made, packed = buffers()
    (slot,) = made.out_plan.slots.values()
    assert made.results()[0].isnan().all()
    raw = made.outputs[slot.at : slot.at + slot.size].clone()
    for dtype in (torch.float16, torch.bfloat16):
        assert raw.view(dtype).isnan().all()
    assert made.strays(packed) is None


@pytest.mark.parametrize("side", ["input", "between inputs", "before output", "after output"])
def test_a_stray_write_is_found(side: str):
    made, packed = buffers()
    (out,) = made.out_plan.slots.values()
    plain = made.in_plan.slots["plain"]
    buffer, at = {
        "input": (made.inputs, plain.at + 3),
        "between inputs": (made.inputs, plain.at + plain.size),
        "before output": (made.outputs, out.at - 1),
        "after output": (made.outputs, out.at + out.size),
    }[side]
    buffer[at] ^= 0xFF
    assert made.strays(packed) is not None


def test_a_shared_file_cannot_be_shrunk_under_the_judge():
    import os

    fd = shared_bytes(4096)
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 1)
    os.close(fd)


def test_a_fault_travels_as_a_number_and_one_printable_line():
    control = protocol.Control(shared_bytes(protocol.CONTROL_BYTES))
    control.words[protocol.SEQUENCE] = 7
    control.fail(protocol.Fault.SHAPE, "wrong\n\x1b[31mshape\0after" + "x" * 1000)
    assert control.words[protocol.STATE] == protocol.State.FAILED
    assert control.words[protocol.ANSWERED] == 7
    assert control.fault() is protocol.Fault.SHAPE
    assert control.message() == "wrong [31mshape"
    control.words[protocol.FAULT] = 12345
    assert control.fault() is protocol.Fault.TAMPER
