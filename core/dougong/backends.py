"""How backends run trained models, read from verdicts on `backend.inference@2`.

The judge leaves times and the most memory of each timed model, and the error of every output beside
that of eager. Here they become rows of a board, a model at a time. What nobody need believe a
candidate, the bytes of its artifact, is no part of a verdict: `benchmarks/backends.py` measures it,
on published models too, and its file `backends.json` is read beside them.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dougong import evidence
from dougong.errors import EvidenceError

CONTRACT = "backend.inference@2"
SCHEMA = "dougong.backends/1"
"""Of what `benchmarks/backends.py --json` writes."""
_DTYPE, _MODE = "float32", "infer"
_BROKEN = (ValueError, KeyError, TypeError, IndexError)


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """One trained model run by one backend, in float32; None where it was not timed."""

    model: str
    latency_us: float | None
    """Median over restarts of the median over rounds."""
    eager_us: float | None
    """Of eager, in the same rounds."""
    peak_bytes: int | None
    """Most memory that the process had held, over restarts; preparation included."""
    eager_peak_bytes: int | None
    relative_l2: float
    """Largest error of an output against float64, relative to it."""
    of_eager: float
    """Largest error over eager's own, both against float64; 0 where eager is exact throughout."""
    agrees: bool
    """Whether every output was within the contract's bounds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """One judged backend."""

    operator: str
    distribution: str
    version: str
    verdict: str
    outcome: str
    code: str
    summary: str
    profile: str
    hardware_class: str
    finished_at: str
    speedup: float | None
    """Over eager, of all timed models together; with its 95 % interval."""
    ci_low: float | None
    ci_high: float | None
    models: tuple[Model, ...]

    @property
    def passed(self) -> bool:
        """Whether the judge accepted it."""
        return self.outcome == "passed"

    @property
    def unavailable(self) -> bool:
        """Whether it cannot run where it was to be judged; the summary says why."""
        return self.code == "UNAVAILABLE"


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """One model run by one backend beside eager by `benchmarks/backends.py`, outside the judge."""

    backend: str
    model: str
    reason: str = ""
    """Why there are no numbers; empty where there are."""
    us: float | None = None
    eager_us: float | None = None
    speedup: float | None = None
    """Median of interleaved pairs; with its 95 % interval."""
    ci_low: float | None = None
    ci_high: float | None = None
    resident_mb: float | None = None
    """What the process grew by, from before the backend was made until after it was called."""
    artifact_mb: float | None = None
    """Of what would be shipped; None where nothing is."""
    error: float | None = None
    """Largest difference to eager's output, as a share of its largest number."""
    same_class: float | None = None
    """Share of outputs whose largest class is eager's."""


def read(text: str | bytes) -> Judged | None:
    """Read one verdict; None where it is of another contract.

    Raises:
        EvidenceError: the text is no verdict.
    """
    try:
        data = json.loads(text)
        if data["contract"] != CONTRACT:
            return None
        operator, subject = data["subject"]["operator"], data["subject"]
        score = next(
            (s for s in data["scores"] if (s["dtype"], s["mode"]) == (_DTYPE, _MODE)), None
        )
        return Judged(
            operator=str(operator["name"]),
            distribution=str(subject["distribution"]),
            version=str(subject["version"]),
            verdict=str(data["id"]),
            outcome=str(data["outcome"]),
            code=str(data["code"]),
            summary=str(data["summary"]),
            profile=str(data["judge"]["profile"]),
            hardware_class=str(data["hardware_class"]),
            finished_at=str(data["finished_at"]),
            speedup=score and float(score["speedup"]),
            ci_low=score and float(score["ci_low"]),
            ci_high=score and float(score["ci_high"]),
            models=tuple(_models(data)),
        )
    except _BROKEN as error:
        raise EvidenceError(f"malformed verdict: {type(error).__name__}: {error}") from error


def _models(data: Mapping[str, Any]) -> Iterator[Model]:
    """Give a row for each trained model that was asked for outputs."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in data["accuracy"]:
        # Extreme values are about edges: what eager makes of them is no yardstick of agreement.
        if row["dtype"] == _DTYPE and "+" not in row["workload"] and "trained" in row["params"]:
            rows.setdefault(str(row["params"]["trained"]), []).append(row)
    for name, mine in rows.items():
        yield Model(
            model=name,
            **_timed(data["speed"], name),
            relative_l2=max(float(row["relative_l2"]) for row in mine),
            of_eager=max(float(row["native_ratio"]) for row in mine),
            agrees=all(row["passed"] for row in mine),
        )


def _timed(cases: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """Return the times and memory of the public workload of a model; None where there is none."""
    case = next(
        (
            case
            for case in cases
            if (case["dtype"], case["mode"], case["params"].get("trained")) == (_DTYPE, _MODE, name)
            and not case["workload"].startswith("hidden-")
        ),
        None,
    )
    if case is None:
        return dict.fromkeys(("latency_us", "eager_us", "peak_bytes", "eager_peak_bytes"))
    return {
        "latency_us": _middle(case["candidate_us"]),
        "eager_us": _middle(case["baseline_us"]),
        "peak_bytes": max(case["peak_bytes"], default=None),
        "eager_peak_bytes": max(case["baseline_peak_bytes"], default=None),
    }


def _middle(restarts: Sequence[Sequence[float]]) -> float:
    return statistics.median(statistics.median(rounds) for rounds in restarts)


def measured(folders: Sequence[Path]) -> tuple[Measured, ...]:
    """Return what `benchmarks/backends.py` found, from every `backends.json` under some folders.

    Raises:
        EvidenceError: a file of that name is of another schema; the message names it.
    """
    found: list[Measured] = []
    for path in sorted(path for folder in folders for path in folder.rglob("backends.json")):
        try:
            data = json.loads(path.read_bytes())
            if data["schema"] != SCHEMA:
                raise ValueError(f"schema must be {SCHEMA}, got {data['schema']!r}")
            found += map(_measured, data["rows"])
        except _BROKEN as error:
            raise EvidenceError(f"{path}: {type(error).__name__}: {error}") from error
    return tuple(found)


def _measured(row: Mapping[str, Any]) -> Measured:
    named = {field.name for field in dataclasses.fields(Measured)}
    low, high = row.get("interval") or (None, None)
    given = {name: value for name, value in row.items() if name in named}
    return Measured(**given, ci_low=low, ci_high=high)


def board(rows: Iterable[Judged]) -> tuple[Judged, ...]:
    """Return the newest row of each backend: accepted, not accepted, unavailable; fastest first."""
    return tuple(sorted(evidence.newest(rows), key=_place))


def _place(row: Judged) -> tuple[bool, bool, float, str]:
    return (row.unavailable, not row.passed, -(row.speedup or 0.0), row.operator)
