"""What the author says of an operator in its metadata, proved or refuted one by one.

    speedup >= 1.2 over torch on cpu [in infer|train|compiled] [at float32]
    error <= 4 ulp [at float32]
    memory <= 300 MiB
    deterministic

A speed-up is proved or refuted by counting restarts against the claimed figure, as `faster` is
(`dougong_ci.report.decision`); the others by the worst value measured. What no gate measured is
`unmeasured`, which is neither.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dougong_ci.report.decision import Decision, decide
from dougong_ci.report.score import by_restart, restart_log_ratios
from dougong_ci.report.verdict import AccuracyRow, Gate, Outcome, SpeedCase

Status = tuple[str, str]
"""`proved`, `refuted` or `unmeasured`, and the reason."""

_SPEEDUP = re.compile(
    r"speedup\s*>=\s*(?P<bar>\d+(?:\.\d+)?)\s+over\s+(?P<baseline>[\w.-]+)\s+on\s+(?P<device>\w+)"
    r"(?:\s+in\s+(?P<mode>\w+))?(?:\s+at\s+(?P<dtype>\w+))?"
)
_ERROR = re.compile(r"error\s*<=\s*(?P<bar>\d+(?:\.\d+)?)\s+ulp(?:\s+at\s+(?P<dtype>\w+))?")
_MEMORY = re.compile(r"memory\s*<=\s*(?P<bar>\d+(?:\.\d+)?)\s+MiB")
_STATUS = {Decision.FASTER: "proved", Decision.NOT_FASTER: "refuted"}


def settle(
    claims: Sequence[str],
    cases: Sequence[SpeedCase],
    rows: Sequence[AccuracyRow],
    gates: Mapping[str, Gate],
) -> list[dict[str, Any]]:
    """Return each claim with its `status` and `reason`."""
    settled = []
    for claim in claims:
        status, reason = _settle(claim.strip(), cases, rows, gates)
        settled.append({"claim": claim, "status": status, "reason": reason})
    return settled


def open_claims(claims: Sequence[str], cases: Sequence[SpeedCase]) -> list[str]:
    """Return the claims of speed that more restarts may still decide."""
    return [
        claim
        for claim in claims
        if (match := _SPEEDUP.fullmatch(claim.strip()))
        and (fitting := _fitting(match, cases))
        and _decided(fitting, float(match["bar"]))[0] is Decision.UNDECIDED
    ]


def _settle(
    claim: str,
    cases: Sequence[SpeedCase],
    rows: Sequence[AccuracyRow],
    gates: Mapping[str, Gate],
) -> Status:
    if match := _SPEEDUP.fullmatch(claim):
        return _speedup(match, cases)
    if match := _ERROR.fullmatch(claim):
        worst = [
            row.ulp_max
            for row in rows
            if row.direction == "forward" and match["dtype"] in (None, row.dtype)
        ]
        return _at_most(float(match["bar"]), worst, lambda value: f"{value:.3g} ulp")
    if match := _MEMORY.fullmatch(claim):
        peaks = [float(peak) / (1 << 20) for case in cases for peak in case.peak_bytes if peak]
        return _at_most(float(match["bar"]), peaks, lambda value: f"{value:.0f} MiB")
    if claim == "deterministic":
        gate = gates.get("determinism")
        if gate is None or gate.outcome is Outcome.SKIPPED:
            return "unmeasured", gate.summary if gate else "the gate did not run"
        return ("proved" if gate.outcome is Outcome.PASSED else "refuted"), gate.summary
    return "unmeasured", "this judge does not know how to measure it"


def _speedup(match: re.Match[str], cases: Sequence[SpeedCase]) -> Status:
    fitting = _fitting(match, cases)
    if not fitting:
        return "unmeasured", f"not measured over {match['baseline']} on {match['device']}"
    decision, scores = _decided(fitting, float(match["bar"]))
    wins = sum(math.exp(score) > float(match["bar"]) for score in scores)
    reason = f"{wins} of {len(scores)} restarts above it, median {_median(scores):.3g}x"
    return _STATUS.get(decision, "unmeasured"), reason


def _fitting(match: re.Match[str], cases: Sequence[SpeedCase]) -> list[SpeedCase]:
    """Return the cases of the one board that a claim is about: the first measured, if unnamed."""
    fitting = [
        case
        for case in cases
        if case.candidate_us
        and case.baseline == match["baseline"]
        and match["device"] == "cpu"
        and match["mode"] in (None, case.mode)
        and match["dtype"] in (None, case.dtype)
    ]
    return [c for c in fitting if (c.dtype, c.mode) == (fitting[0].dtype, fitting[0].mode)]


def _decided(cases: Sequence[SpeedCase], bar: float) -> tuple[Decision, list[float]]:
    ratios = [restart_log_ratios(case.baseline_us, case.candidate_us) for case in cases]
    scores = by_restart(ratios, [case.weight for case in cases])
    return decide(scores, bar), scores


def _median(scores: Sequence[float]) -> float:
    return math.exp(statistics.median(scores))


def _at_most(bar: float, values: Sequence[float], show: Callable[[float], str]) -> Status:
    if not values:
        return "unmeasured", "nothing fitting was measured"
    return ("proved" if max(values) <= bar else "refuted"), f"measured {show(max(values))}"
