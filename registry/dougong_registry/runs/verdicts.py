"""Whether a signed verdict holds up: nothing of it is believed that can be computed again."""

from __future__ import annotations

import datetime as dt
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from dougong_ci.report import schema, signing
from dougong_ci.report.score import score_cases
from dougong_ci.report.verdict import AccuracyRow, Outcome, Score, SpeedCase, Verdict, from_json
from dougong_registry.problem import Refused
from dougong_registry.runs.models import Runner

PLAUSIBLE_SHARE = 0.5
"""A time below this share of the physical floor is held for a reviewer."""
MAX_CASES = 1_000
MAX_RESTARTS = 100
MAX_ROUNDS = 100
"""Of one restart: every one of the baseline's is compared with every one of the candidate's."""
_SAME = 1e-9


def open_envelope(envelope: Mapping[str, Any], runner: Runner) -> tuple[Verdict, str, str]:
    """Return the verdict in an envelope that this runner signed, its text, and the signature.

    Raises:
        Refused: the envelope is malformed, of another key, or the signature is not of the payload.
    """
    payload, key_id, signature = (
        envelope.get(field) for field in ("payload", "key_id", "signature")
    )
    if not (isinstance(payload, str) and isinstance(key_id, str) and isinstance(signature, str)):
        raise Refused("an envelope has payload, key_id and signature, all text")
    if key_id != runner.key_id:
        raise Refused(f"the envelope is of key {key_id[:64]}, the request of {runner.key_id}")
    if not signing.verify(payload.encode(), signature, runner.public_key):
        raise Refused("the signature is not of this payload by this runner's key")
    try:
        data = json.loads(payload, parse_constant=_refuse_constant)
        schema.validate(data)
        return from_json(payload), payload, signature
    except (ValueError, RecursionError) as error:
        raise Refused(f"the payload is not a verdict: {error}") from error


def check_consistent(verdict: Verdict) -> None:
    """Hold the outcome to the gates and rows: a gate that did not run has not passed.

    Raises:
        Refused: names what contradicts what.
    """
    if verdict.outcome == Outcome.PASSED:
        required = [gate for gate in verdict.gates if gate.required]
        if not required:
            raise Refused("a verdict that passed has at least one required gate")
        for gate in required:
            if gate.outcome != Outcome.PASSED:
                raise Refused(
                    f"the verdict says passed, but its required gate {gate.name} {gate.outcome}"
                )
        for row in verdict.accuracy:
            if not row.passed or row.max_error > row.bound:
                raise Refused(
                    f"the verdict says passed, but {row.workload} ({row.dtype}, {row.direction}) "
                    f"has an error of {row.max_error:g} over a bound of {row.bound:g}"
                )
        for task in verdict.quality:
            if not task.passed:
                raise Refused(
                    f"the verdict says passed, but {task.task} ({task.metric}) keeps "
                    f"{task.retained:g} under a floor of {task.floor:g}"
                )
    if not verdict.suite.startswith(f"{verdict.contract}/"):
        raise Refused(f"suite {verdict.suite!r} is not one of contract {verdict.contract!r}")


def check_drawable(verdict: Verdict) -> None:
    """Hold what pages draw to the shapes that its fields promise.

    Raises:
        Refused: a histogram's bins and counts do not fit, or a point has no place on a chart.
    """
    for histogram in verdict.histograms:
        edges, counts = histogram.ulp_edges, histogram.counts
        if len(counts) != len(edges) + 1 or edges != sorted(edges) or min(counts) < 0:
            raise Refused(
                f"the histogram of {histogram.dtype} {histogram.direction} must have ascending "
                f"edges and one count more, got {len(edges)} edges and {len(counts)} counts"
            )
    for point in verdict.pareto:
        least = min(point.speedup, point.baseline_us, point.candidate_us)
        if least <= 0 or not 0 <= point.retained <= 1:
            raise Refused(
                f"the Pareto point at length {point.length} must have positive times and a share "
                f"kept from 0 to 1, got {point}"
            )


def recompute_scores(verdict: Verdict) -> list[Score]:
    """Compute the scores from the raw samples, and compare with what the verdict says.

    Raises:
        Refused: they differ, or the samples cannot be scored.
    """
    cases = verdict.speed
    if len(cases) > MAX_CASES or any(map(_too_long, cases)):
        raise Refused(
            f"at most {MAX_CASES} speed cases of {MAX_RESTARTS} restarts of {MAX_ROUNDS} rounds "
            "are read"
        )
    seed = verdict.judge.get("seed")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise Refused("judge.seed must be an integer: the interval is computed again from it")
    if any(case.weight <= 0 for case in cases):
        raise Refused("every speed case has a positive weight")
    try:
        scores = score_cases(cases, seed)
    except (ValueError, ArithmeticError) as error:
        raise Refused(f"the raw samples cannot be scored: {error}") from error
    said = {(score.dtype, score.mode): score for score in verdict.scores}
    found = {(score.dtype, score.mode): score for score in scores}
    if set(said) != set(found) or len(said) != len(verdict.scores):
        raise Refused(f"scores are given for {sorted(said)}, the samples give {sorted(found)}")
    for key, score in found.items():
        _refuse_difference(said[key], score)
    return scores


def _too_long(case: SpeedCase) -> bool:
    longest = max(map(len, (*case.candidate_us, *case.baseline_us)), default=0)
    return len(case.candidate_us) > MAX_RESTARTS or longest > MAX_ROUNDS


def _refuse_difference(said: Score, found: Score) -> None:
    for field in ("speedup", "ci_low", "ci_high", "coverage", "restarts"):
        if not math.isclose(getattr(said, field), getattr(found, field), rel_tol=_SAME):
            raise Refused(
                f"{field} of {said.dtype} {said.mode} is given as {getattr(said, field)!r}, but "
                f"the raw samples give {getattr(found, field)!r}"
            )
    if said.decision != found.decision:
        raise Refused(
            f"decision of {said.dtype} {said.mode} is given as {said.decision!r}, but the raw "
            f"samples give {found.decision!r}"
        )


def held_reason(cases: Sequence[SpeedCase]) -> str:
    """Say why a reviewer must look at the times, or nothing where they are plausible."""
    for case in cases:
        for restart_us in case.candidate_us:
            if case.floor_us > 0 and (
                (median_us := statistics.median(restart_us)) < PLAUSIBLE_SHARE * case.floor_us
            ):
                return (
                    f"{case.workload} ({case.dtype}, {case.mode}) took {median_us:.3g} us, under "
                    f"{PLAUSIBLE_SHARE:g} of the physical floor of {case.floor_us:.3g} us"
                )
    return ""


def worst_errors(rows: Sequence[AccuracyRow], dtype: str) -> tuple[float | None, float | None]:
    """Return the worst forward relative L2 error and the worst share of the bound, of one dtype."""
    mine = [row for row in rows if row.dtype == dtype]
    forward = [row.relative_l2 for row in mine if row.direction == "forward"]
    shares = [row.max_error / row.bound for row in mine if row.bound > 0]
    return max(forward, default=None), max(shares, default=None)


def made_by(fingerprint: Mapping[str, Any], judge: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns that say by what a verdict was made; empty where it does not say."""
    return {
        "torch_version": str(fingerprint.get("torch", ""))[:64],
        "judge_version": str(judge.get("version", ""))[:64],
    }


def moment(text: str) -> dt.datetime:
    """Read an ISO 8601 time with its zone.

    Raises:
        Refused: it is not one.
    """
    try:
        value = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(f"times are ISO 8601 with a zone, got {text[:64]!r}") from error
    if value.tzinfo is None:
        raise Refused(f"times are ISO 8601 with a zone, got {text[:64]!r}")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")
