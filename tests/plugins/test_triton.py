"""The Triton kernels: in the interpreter in a process of its own, and by the judge on a device.

Whether Triton compiles or interprets is settled when it is imported, so that neither may happen in
the process of the other tests. `interpreted/` holds what is checked there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import dougong
from dougong_ci.judge import PROFILES, JudgeRequest, judge

KERNELS = [
    "dougong/rms-triton",
    "dougong/layer-triton",
    "dougong/gelu-triton",
    "dougong/silu-triton",
    "dougong/squared-relu-triton",
    "dougong/swiglu-triton",
    "dougong/flash-triton",
    "dougong/sparse-triton",
]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("checks", ["check_kernels.py", "check_contracts.py"])
def test_the_kernels_compute_what_their_definitions_say(checks):
    pytest.importorskip("triton")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", checks],
        cwd=Path(__file__).parent / "interpreted",
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.parametrize("name", KERNELS)
def test_without_a_device_a_kernel_says_that_it_needs_one(name, catalogue):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    reason = catalogue.get(name).unavailable()
    assert reason == "needs CUDA capability 8.0, device cuda is not available"


def test_on_the_processor_a_kernel_refuses_instead_of_crashing():
    pytest.importorskip("triton")
    target = dougong.Catalogue.load(["dougong_plugins"]).get("dougong/silu-triton").operator.load()
    with pytest.raises(ValueError, match="must be on a CUDA device, got cpu"):
        target(torch.randn(3))


@pytest.mark.gpu
@pytest.mark.timeout(600)
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", KERNELS)
def test_the_judge_finds_no_fault_on_a_device(name):
    request = JudgeRequest(installed=(name,), profile=PROFILES["accuracy"], device="cuda")
    (verdict,) = judge(request)
    failed = [gate for gate in verdict.gates if gate.outcome.value in ("failed", "errored")]
    assert failed == []
