"""What optimizers have trained, read from verdicts on `optimizer.train@1`.

The judge leaves a row a lesson: final loss, steps and milliseconds to a target, bytes of state.
Here they become rows of a board, and one algorithm under several names is found.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dougong import evidence
from dougong.errors import EvidenceError

CONTRACT = "optimizer.train@1"
SAME = 1e-3
"""Relative L2 between signatures, up to which two walks are one rule's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """A mean over starts with its 95 % interval; None where nothing was reached, or only once."""

    mean: float | None
    ci_low: float | None
    ci_high: float | None
    reached: int
    starts: int


@dataclasses.dataclass(frozen=True, slots=True)
class Lesson:
    """What became of one task."""

    task: str
    final_loss: Measured
    steps_to_target: Measured
    ms_to_target: Measured
    retained: float
    """Share of the way of plain momentum."""


@dataclasses.dataclass(frozen=True, slots=True)
class Trained:
    """One judged optimizer."""

    operator: str
    algorithm: str
    """What it says it is: `Operator.variant`."""
    distribution: str
    version: str
    paper: str
    license: str
    verdict: str
    outcome: str
    code: str
    summary: str
    hardware_class: str
    finished_at: str
    state_bytes_per_parameter_byte: float | None
    lessons: tuple[Lesson, ...]
    signature: tuple[float, ...]
    """Where a public walk led; see `same`."""
    alias_of: str = ""
    """An operator listed before that is the same algorithm."""

    @property
    def passed(self) -> bool:
        """Whether the judge accepted it."""
        return self.outcome == "passed"

    @property
    def counts(self) -> bool:
        """Whether it is an algorithm of its own that the judge accepted."""
        return self.passed and not self.alias_of


def read(text: str | bytes) -> Trained | None:
    """Read one verdict; None where it is of another contract.

    Raises:
        EvidenceError: the text is no verdict.
    """
    try:
        data = json.loads(text)
        if data["contract"] != CONTRACT:
            return None
        operator, subject = data["subject"]["operator"], data["subject"]
        lessons = tuple(_lesson(row) for row in data["quality"] if "final_loss" in row["params"])
        quality = next(gate for gate in data["gates"] if gate["name"] == "quality")
        shares = [
            row["params"]["state_bytes_per_parameter_byte"]
            for row in data["quality"]
            if "state_bytes_per_parameter_byte" in row["params"]
        ]
        return Trained(
            operator=str(operator["name"]),
            algorithm=str(operator["variant"]),
            distribution=str(subject["distribution"]),
            version=str(subject["version"]),
            paper=str(operator["paper"]),
            license=str(operator["license"]),
            verdict=str(data["id"]),
            outcome=str(data["outcome"]),
            code=str(data["code"]),
            summary=str(data["summary"]),
            hardware_class=str(data["hardware_class"]),
            finished_at=str(data["finished_at"]),
            state_bytes_per_parameter_byte=max(shares, default=None),
            lessons=lessons,
            signature=tuple(map(float, quality["measurements"].get("signature", ()))),
        )
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise EvidenceError(f"malformed verdict: {type(error).__name__}: {error}") from error


def _lesson(row: Mapping[str, Any]) -> Lesson:
    params = row["params"]
    names = ("final_loss", "steps_to_target", "ms_to_target")
    return Lesson(
        task=str(row["task"]),
        retained=float(row["retained"]),
        **{name: _measured(params[name]) for name in names},
    )


def _measured(found: Mapping[str, Any]) -> Measured:
    values = found["values"]
    reached = sum(value is not None for value in values)
    return Measured(found["mean"], found["ci_low"], found["ci_high"], reached, len(values))


def board(rows: Iterable[Trained]) -> tuple[Trained, ...]:
    """Return the newest row of each operator, best first, with aliases named.

    First come those accepted, by their loss on the text; of one algorithm under several names the
    one that stands first counts.
    """
    ordered: list[Trained] = []
    for row in sorted(evidence.newest(rows), key=_place):
        twin = next((r for r in ordered if row.passed and r.counts and same(r, row)), None)
        ordered.append(dataclasses.replace(row, alias_of=twin.operator if twin else ""))
    return tuple(ordered)


def _place(row: Trained) -> tuple[bool, float, str]:
    losses = [lesson.final_loss.mean for lesson in row.lessons if lesson.task == "text"]
    known = [loss for loss in losses if loss is not None]
    return (not row.passed, min(known, default=float("inf")), row.operator)


def same(one: Trained, other: Trained) -> bool:
    """Say whether two rows are one algorithm: by name, or because their public walks agree."""
    if one.algorithm and one.algorithm == other.algorithm:
        return True
    return distance(one.signature, other.signature) <= SAME


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the relative L2 distance of two signatures; infinite where one has none."""
    if not one or len(one) != len(other):
        return float("inf")
    apart = sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
    size = sum(a * a for a in one)
    return float((apart / size) ** 0.5) if size else float("inf")
