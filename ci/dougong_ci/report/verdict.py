"""The verdict: what the judge found, as plain records that travel as JSON.

Standard library only, because the web process reads these and must not load torch. A number is
never rounded here; times are in microseconds, errors are absolute unless the name says otherwise.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from typing import Any

SCHEMA = "dougong.verdict/1"
DEVICES = ("cpu", "cuda")
"""`torch.device` types that a judge knows."""


class Outcome(enum.StrEnum):
    """What a gate, or the whole verdict, came to. A gate that did not run has not passed."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ERRORED = "errored"
    SKIPPED = "skipped"


@dataclasses.dataclass(kw_only=True)
class Gate:
    """One check with its outcome."""

    name: str
    """`contract`, `accuracy`, `gradient`, `laws`, `determinism`, `noise`, `speed`, ..."""
    outcome: Outcome
    summary: str
    """One line for people; for a skipped gate, the reason."""
    required: bool = True
    measurements: dict[str, Any] = dataclasses.field(default_factory=dict)
    duration_s: float = 0.0


@dataclasses.dataclass(kw_only=True)
class AccuracyRow:
    """The error of one workload, dtype and direction against the float64 golden."""

    workload: str
    params: dict[str, Any]
    dtype: str
    direction: str
    """`forward` or `backward:<input name>`."""
    max_error: float
    rms_error: float
    native_max_error: float
    native_rms_error: float
    bound: float
    """What `max_error` had to stay under."""
    relative_l2: float
    passed: bool
    hidden: bool = False
    reason: str = ""
    native_ratio: float = 0.0
    """`max_error` over `native_max_error`, the error of the trusted implementation; 0 where the
    latter is exact."""
    ulp_p50: float = 0.0
    """Median distance to the golden, in steps of the working dtype at the golden."""
    ulp_p99: float = 0.0
    ulp_max: float = 0.0


@dataclasses.dataclass(kw_only=True)
class Histogram:
    """Errors of all judged outputs of one dtype and direction, by size."""

    dtype: str
    direction: str
    """`forward` or `backward`."""
    ulp_edges: list[float]
    """Ascending bounds of the bins between them, in steps of the dtype at the golden."""
    counts: list[int]
    """One more than there are edges: below the first, between two, at or above the last."""


@dataclasses.dataclass(kw_only=True)
class QualityRow:
    """What an approximation keeps of one task that the exact operator solves."""

    task: str
    """`lm`, `recall`, `copy`, `needle`, `output`, ..."""
    params: dict[str, Any]
    """Length, depth, pairs, seeds."""
    metric: str
    """`accuracy`, `nats_per_byte`, `relative_l2`, `cosine`, `mass_recall`."""
    exact: float
    candidate: float
    retained: float
    """Share of the exact operator's quality that is kept, 0 to 1."""
    floor: float
    """Least `retained` at which the gate passes; 0 where the row only reports."""
    passed: bool
    reason: str = ""


@dataclasses.dataclass(kw_only=True)
class ParetoPoint:
    """Quality kept beside speed at one length: an approximation is never one number."""

    length: int
    retained: float
    """Of the worst task."""
    speedup: float
    """Over the exact baseline at this length."""
    baseline_us: float
    candidate_us: float
    peak_memory_bytes: int = 0
    """Of the candidate at this length; 0 where it could not be measured."""


@dataclasses.dataclass(kw_only=True)
class SpeedCase:
    """Raw times of one workload: outer list restarts, inner list rounds, paired by position."""

    workload: str
    params: dict[str, Any]
    dtype: str
    mode: str
    """`infer` (forward), `train` (forward and backward) or `compiled` (forward under
    `torch.compile`, the baseline too)."""
    weight: float
    baseline: str
    baseline_us: list[list[float]]
    candidate_us: list[list[float]]
    control_us: list[list[float]]
    """The A/A copy of the baseline, in the same rounds."""
    floor_us: float = 0.0
    """Physically least time on this machine; 0 where it was not measured."""
    cpu_share: list[float] = dataclasses.field(default_factory=list)
    """By restart: CPU time of everything in the candidate's sandbox over the time it had the
    floor. Beyond 1, it computed where it was not to; empty where it could not be read."""
    waiting_share: list[float] = dataclasses.field(default_factory=list)
    """By restart: share of the timed span that judge and baselines waited for a processor."""
    peak_bytes: list[int] = dataclasses.field(default_factory=list)
    """By restart: most memory the candidate's process had held by the end of the case."""
    baseline_peak_bytes: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(kw_only=True)
class Score:
    """Log-space weighted geometric mean of speed-up over the baseline, for one board."""

    dtype: str
    mode: str
    speedup: float
    ci_low: float
    ci_high: float
    coverage: float
    """Weight of the cases measured, as a share of all cases of the suite."""
    restarts: int
    decision: str = "undecided"
    """`faster`, `not_faster` or `undecided`: whether it beats the baseline by 5 %, by counting
    restarts (`dougong_ci.report.decision`)."""


@dataclasses.dataclass(kw_only=True)
class Subject:
    """What was judged: the bytes, not the name."""

    operator: dict[str, Any]
    """The operator's metadata, field by field."""
    distribution: str
    version: str
    sha256: str
    """Of the wheel; of the installed files where there was no wheel."""


@dataclasses.dataclass(kw_only=True)
class Verdict:
    """The judge's whole report on one operator on one machine."""

    id: str
    subject: Subject
    contract: str
    contract_digest: str
    suite: str
    """`<contract>/<suite version>`: `norm.rms@1/2026.1`."""
    device: str
    hardware_class: str
    outcome: Outcome
    code: str
    """`ACCEPTED`, `REJECTED_ACCURACY`, `INCONCLUSIVE_NOISE`, `JUDGE_ERROR`, ..."""
    summary: str
    gates: list[Gate]
    accuracy: list[AccuracyRow]
    speed: list[SpeedCase]
    scores: list[Score]
    fingerprint: dict[str, Any]
    judge: dict[str, Any]
    """version, profile, seed (revealed after the run), sandbox tier, command to repeat it."""
    started_at: str
    finished_at: str
    claims: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """Each claim of the metadata with `proved`, `refuted` or `unmeasured`."""
    histograms: list[Histogram] = dataclasses.field(default_factory=list)
    quality: list[QualityRow] = dataclasses.field(default_factory=list)
    """Of approximate operators only."""
    pareto: list[ParetoPoint] = dataclasses.field(default_factory=list)
    """Of approximate operators only."""
    schema: str = SCHEMA

    def to_json(self) -> str:
        """Serialise canonically: sorted keys, no spaces, NaN refused; signatures cover this."""
        return json.dumps(
            dataclasses.asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False
        )


def from_json(text: str | bytes) -> Verdict:
    """Read a verdict back; the inverse of `Verdict.to_json`.

    Raises:
        ValueError: the text is not JSON, is of another schema, or a field is missing or unknown.
    """
    data = json.loads(text)
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise ValueError(f"verdict schema must be {SCHEMA}, got {found!r}")
    try:
        return Verdict(
            **{
                **data,
                "outcome": Outcome(data["outcome"]),
                "subject": Subject(**data["subject"]),
                "gates": [
                    Gate(**{**gate, "outcome": Outcome(gate["outcome"])}) for gate in data["gates"]
                ],
                "accuracy": [AccuracyRow(**row) for row in data["accuracy"]],
                "speed": [SpeedCase(**case) for case in data["speed"]],
                "scores": [Score(**score) for score in data["scores"]],
                "histograms": [Histogram(**each) for each in data.get("histograms", [])],
                "quality": [QualityRow(**each) for each in data.get("quality", [])],
                "pareto": [ParetoPoint(**each) for each in data.get("pareto", [])],
            }
        )
    except (TypeError, KeyError) as error:
        raise ValueError(f"verdict does not follow {SCHEMA}: {error}") from error
