"""Made-up verdicts: of the shape that judges sign, with times drawn around a made-up speed-up."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from dougong_ci.report.verdict import AccuracyRow, Gate, Outcome, SpeedCase, Subject, Verdict

GATES = ("build", "contract", "accuracy", "gradient", "laws", "determinism", "noise", "speed")
PLACES = (
    ("float32", "infer"),
    ("float32", "train"),
    ("float32", "compiled"),
    ("bfloat16", "infer"),
    ("bfloat16", "train"),
)


def times(draw: random.Random, median_us: float, restarts: int = 7) -> list[list[float]]:
    """Draw rounds of times with two percent of noise."""
    return [
        [round(median_us * math.exp(draw.gauss(0, 0.02)), 3) for _ in range(7)]
        for _ in range(restarts)
    ]


def verdict(
    draw: random.Random, *, id: str, subject: Subject, contract: str, place: str, speedup: float
) -> Verdict:
    """Return a verdict of a passed operator with all its rows."""
    return Verdict(
        id=id,
        subject=subject,
        contract=contract,
        contract_digest="0" * 64,
        suite=f"{contract}/2026.1",
        device=place.partition("/")[0],
        hardware_class=place,
        outcome=Outcome.PASSED,
        code="ACCEPTED",
        summary="Met its contract; made up for a rehearsal.",
        gates=[
            Gate(name=name, outcome=Outcome.PASSED, summary="made up", duration_s=1.0)
            for name in GATES
        ],
        accuracy=list(_accuracy(draw)),
        speed=list(_speed(draw, speedup)),
        scores=[],
        fingerprint={"cpu": "made up", "torch": "2.13.0", "threads": 2},
        judge={"version": "0", "profile": "rehearsal", "seed": 1, "fit_for_board": True},
        started_at="2026-01-01T00:00:00+00:00",
        finished_at="2026-01-01T00:01:00+00:00",
        claims=[],
    )


def _accuracy(draw: random.Random) -> Iterator[AccuracyRow]:
    for workload in ("prefill", "decode", "odd-sizes", "tiny-values", "large-values"):
        for dtype in ("float32", "bfloat16"):
            bound = 1e-6 if dtype == "float32" else 8e-3
            share = 0.1 + draw.random() / 2
            yield AccuracyRow(
                workload=workload,
                params={"T": 128, "D": 4096},
                dtype=dtype,
                direction="forward",
                max_error=share * bound,
                rms_error=share * bound / 5,
                native_max_error=bound / 2,
                native_rms_error=bound / 10,
                bound=bound,
                relative_l2=share * bound,
                passed=True,
            )


def _speed(draw: random.Random, speedup: float) -> Iterator[SpeedCase]:
    for workload, base_us in (("decode", 14.0), ("prefill", 612.0), ("batch", 540.0)):
        for dtype, mode in PLACES:
            yield SpeedCase(
                workload=workload,
                params={"T": 128, "D": 4096},
                dtype=dtype,
                mode=mode,
                weight=1.0,
                baseline="torch",
                baseline_us=times(draw, base_us),
                candidate_us=times(draw, base_us / speedup),
                control_us=times(draw, base_us),
                floor_us=base_us / 8,
            )
