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


@dataclasses.dataclass(kw_only=True)
class SpeedCase:
    """Raw times of one workload: outer list restarts, inner list rounds, paired by position."""

    workload: str
    params: dict[str, Any]
    dtype: str
    mode: str
    """`infer` (forward) or `train` (forward and backward)."""
    weight: float
    baseline: str
    baseline_us: list[list[float]]
    candidate_us: list[list[float]]
    control_us: list[list[float]]
    """The A/A copy of the baseline, in the same rounds."""
    floor_us: float = 0.0
    """Physically least time on this machine; 0 where it was not measured."""


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
            }
        )
    except (TypeError, KeyError) as error:
        raise ValueError(f"verdict does not follow {SCHEMA}: {error}") from error
