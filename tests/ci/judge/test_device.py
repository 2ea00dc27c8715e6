"""Judging elsewhere than on the processor: what can be seen of it without a device."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from dougong_ci.judge import JudgeRequest, judge, session
from dougong_ci.judge.device import Cpu, DeviceError, device
from dougong_ci.sandbox import Mounts, command, probe

without_cuda = pytest.mark.skipif(
    torch.cuda.is_available(), reason="this machine has a CUDA device"
)


class Elsewhere(Cpu):
    """A processor that tells its clocks and counts the calls it was made ready for."""

    def __init__(self) -> None:
        self.calls = 0

    def before_call(self) -> None:
        self.calls += 1

    def hardware_class(self) -> str:
        return "elsewhere"

    def clocks(self) -> dict[str, float]:
        return {"clocks.sm": 1980.0 + self.calls}


def test_a_judgement_asks_its_device_for_everything_that_hangs_on_it(
    candidates: Path, fast_profile, monkeypatch: pytest.MonkeyPatch
):
    place = Elsewhere()
    monkeypatch.setattr(session, "device", lambda name: place)
    request = JudgeRequest(path=candidates, operators=("trial/honest",), profile=fast_profile)
    (verdict,) = judge(request)
    assert (verdict.device, verdict.hardware_class) == ("cpu", "elsewhere")
    assert verdict.fingerprint["clocks.sm_before"] == 1980
    assert verdict.fingerprint["clocks.sm_after"] == 1980 + place.calls
    timed = sum(len(restart) for case in verdict.speed for restart in case.candidate_us)
    assert place.calls > 3 * timed > 0


def test_a_device_that_nobody_knows_is_named():
    with pytest.raises(DeviceError, match=r"device must be one of cpu, cuda, got 'tpu'"):
        device("tpu")


@without_cuda
def test_a_request_for_a_device_that_is_not_there_is_refused_at_once(candidates, fast_profile):
    request = JudgeRequest(path=candidates, profile=fast_profile, device="cuda")
    with pytest.raises(DeviceError, match="cannot judge on cuda: "):
        judge(request)


def test_what_does_not_run_there_is_not_run_at_all(
    candidates: Path, fast_profile, monkeypatch: pytest.MonkeyPatch
):
    place = Elsewhere()
    place.name = "mps"
    monkeypatch.setattr(session, "device", lambda name: place)
    request = JudgeRequest(path=candidates, operators=("trial/honest",), profile=fast_profile)
    (verdict,) = judge(request)
    assert (verdict.outcome, verdict.summary) == ("skipped", "runs on cpu, not on mps")


def test_a_sandbox_sees_the_driver_only_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("nvidia0", "nvidiactl", "nvidia-uvm", "kvm"):
        (tmp_path / name).touch()
    (tmp_path / "nvidia-caps").mkdir()
    monkeypatch.setattr(command, "_DEV", tmp_path)
    tier = dataclasses.replace(probe(), bwrap=Path("/usr/bin/bwrap"))
    with_gpu = command.arguments(tier, Mounts(), gpu=True)
    bound = [with_gpu[i + 1] for i, part in enumerate(with_gpu) if part == "--dev-bind"]
    assert bound == [str(tmp_path / name) for name in ("nvidia-uvm", "nvidia0", "nvidiactl")]
    assert "--dev-bind" not in command.arguments(tier, Mounts())
