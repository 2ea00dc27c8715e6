"""The same judge on a CUDA device, and the cheats that only a device makes possible."""

from __future__ import annotations

import pytest
import torch

from dougong_ci.judge import JudgeRequest, judge
from dougong_ci.judge.device import device
from dougong_ci.judge.memory import LATE, Buffers, image
from dougong_ci.report.verdict import Verdict
from dougong_ci.runner import packing

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

PLUGIN = """
import dougong

@dougong.hookimpl
def dougong_register_norm():
    return [
        dougong.Operator(name=f"streams/{name}", contract="norm.rms@1", devices=("cpu", "cuda"),
                         dtypes=("float32",), target=f"streams_code:{name.replace('-', '_')}")
        for name in ("honest", "on-the-side", "on-the-processor", "answers-early", "no-clock")
    ]
"""
CODE = """
import torch
from torch.nn import functional

def honest(x, weight=None, *, eps):
    return functional.rms_norm(x, x.shape[-1:], weight, eps)

def on_the_side(x, weight=None, *, eps):
    # Number 23: work on another stream, where the timing stream does not wait for it.
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        torch.cuda._sleep(20_000_000)
        return honest(x, weight, eps=eps)

def on_the_processor(x, weight=None, *, eps):
    return honest(x.cpu(), None if weight is None else weight.cpu(), eps=eps)

def answers_early(x, weight=None, *, eps):
    # Returns memory that a stream fills later, and hopes that nobody waits for it.
    y = torch.empty_like(x)
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        torch.cuda._sleep(20_000_000)
        y.copy_(honest(x, weight, eps=eps))
    return y

def no_clock(x, weight=None, *, eps):
    # Number 22: what measures time, or waits, is replaced.
    torch.cuda.synchronize = lambda *_: None
    torch.cuda.Event.elapsed_time = lambda *_: 1e-6
    torch.cuda._sleep(20_000_000)
    return honest(x, weight, eps=eps)
"""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory, fast_profile) -> dict[str, Verdict]:
    folder = tmp_path_factory.mktemp("streams")
    info = folder / "streams-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: streams\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[dougong]\nstreams = streams_plugin\n")
    (folder / "streams_plugin.py").write_text(PLUGIN)
    (folder / "streams_code.py").write_text(CODE)
    found = judge(JudgeRequest(path=folder, profile=fast_profile, device="cuda"))
    return {str(v.subject.operator["name"]).partition("/")[2]: v for v in found}


def test_an_honest_operator_passes_and_its_verdict_names_the_device(verdicts):
    verdict = verdicts["honest"]
    assert verdict.code in ("ACCEPTED", "INCONCLUSIVE_NOISE")
    assert verdict.device == "cuda"
    assert verdict.hardware_class.startswith("cuda-")
    assert verdict.fingerprint["gpu"]
    assert verdict.fingerprint["clocks.sm_after"] > 0


@pytest.mark.parametrize("name", ["on-the-side", "no-clock"])
def test_the_clock_waits_for_the_whole_device_whatever_was_replaced(verdicts, name: str):
    times = [us for case in verdicts[name].speed for restart in case.candidate_us for us in restart]
    honest = [
        us for case in verdicts["honest"].speed for restart in case.candidate_us for us in restart
    ]
    assert verdicts[name].code == "REJECTED_SLOW" or min(times) > 5_000 + min(honest)


def test_memory_that_is_filled_later_is_read_when_it_is_full_or_found_wrong(verdicts):
    # Copied by the runner on its own stream, before the side stream has written: wrong values.
    assert verdicts["answers-early"].code.startswith("REJECTED")


def test_a_result_on_another_device_breaks_the_contract(verdicts):
    verdict = verdicts["on-the-processor"]
    assert verdict.code == "REJECTED_CONTRACT"
    assert "on the cuda" in verdict.summary


def test_buffers_on_a_device_find_late_and_stray_writes():
    given = {"x": torch.randn(400, 33)}
    in_plan = packing.plan(given)
    out_plan = packing.plan({"y": torch.empty(400, 33)}, contiguous=True)
    place = device("cuda")
    blocks = [place.block(in_plan.total), place.block(out_plan.total)]
    made = Buffers.make(blocks[0].tensor, blocks[1].tensor, in_plan, out_plan)
    packed = image(in_plan, given)
    (slot,) = made.out_plan.slots.values()
    made.reveal(packed)
    assert torch.equal(made.inputs.cpu(), packed)
    assert made.results()[0].isnan().all()
    slot.view(made.outputs).fill_(1.0)
    made.glance()
    assert made.strays(packed) is None
    slot.view(made.outputs).fill_(2.0)
    assert made.strays(packed) == LATE
    made.reveal(packed)
    made.inputs[slot.at] += 1
    assert "changed its input" in str(made.strays(packed))
    for block in blocks:
        block.free()
