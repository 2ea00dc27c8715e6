from __future__ import annotations

import pytest

from dougong_ci.judge.claims import open_claims, settle
from dougong_ci.report.verdict import AccuracyRow, Gate, Outcome, SpeedCase


def timed(speedups: list[float], *, mode: str = "infer", dtype: str = "float32") -> SpeedCase:
    return SpeedCase(
        workload="w",
        params={},
        dtype=dtype,
        mode=mode,
        weight=1.0,
        baseline="torch",
        baseline_us=[[100.0 * s] * 3 for s in speedups],
        candidate_us=[[100.0] * 3 for _ in speedups],
        control_us=[[100.0 * s] * 3 for s in speedups],
        peak_bytes=[200 << 20] * len(speedups),
    )


def row(ulp_max: float, dtype: str = "float32", direction: str = "forward") -> AccuracyRow:
    return AccuracyRow(
        workload="w",
        params={},
        dtype=dtype,
        direction=direction,
        max_error=0.0,
        rms_error=0.0,
        native_max_error=0.0,
        native_rms_error=0.0,
        bound=1.0,
        relative_l2=0.0,
        passed=True,
        ulp_max=ulp_max,
    )


GATES = {"determinism": Gate(name="determinism", outcome=Outcome.PASSED, summary="equal bits")}
CASES = [timed([1.5] * 7), timed([0.8] * 7, mode="train"), timed([1.1] * 7, dtype="bfloat16")]
ROWS = [row(2.5), row(40.0, direction="backward:x"), row(0.5, "bfloat16")]


@pytest.mark.parametrize(
    ("claim", "status"),
    [
        ("speedup >= 1.2 over torch on cpu", "proved"),
        ("speedup >= 1.6 over torch on cpu", "refuted"),
        ("speedup >= 1.2 over torch on cpu in train", "refuted"),
        ("speedup >= 1.05 over torch on cpu at bfloat16", "proved"),
        ("speedup >= 1.2 over torch on cpu in compiled", "unmeasured"),
        ("speedup >= 1.2 over torch on cuda", "unmeasured"),
        ("speedup >= 1.2 over cudnn on cpu", "unmeasured"),
        ("error <= 3 ulp", "proved"),
        ("error <= 2 ulp", "refuted"),
        ("error <= 1 ulp at bfloat16", "proved"),
        ("error <= 1 ulp at float16", "unmeasured"),
        ("memory <= 256 MiB", "proved"),
        ("memory <= 100 MiB", "refuted"),
        ("deterministic", "proved"),
        ("tastes good", "unmeasured"),
    ],
)
def test_a_claim_is_proved_or_refuted_by_what_was_measured(claim, status):
    (found,) = settle([claim], CASES, ROWS, GATES)
    assert (found["claim"], found["status"]) == (claim, status)
    assert found["reason"]


def test_a_claim_that_restarts_disagree_on_stays_open():
    cases = [timed([1.3] * 4 + [1.1] * 3)]
    claim = "speedup >= 1.2 over torch on cpu"
    assert open_claims([claim, "deterministic"], cases) == [claim]
    assert settle([claim], cases, [], {})[0]["status"] == "unmeasured"
    assert open_claims([claim], [timed([1.3] * 7)]) == []


def test_a_gate_that_did_not_run_proves_nothing():
    skipped = {"determinism": Gate(name="determinism", outcome=Outcome.SKIPPED, summary="not run")}
    for gates in ({}, skipped):
        assert settle(["deterministic"], [], [], gates)[0]["status"] == "unmeasured"
