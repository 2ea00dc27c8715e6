"""From what was found to a verdict: the noise and speed gates, the code, the summary."""

from __future__ import annotations

import dataclasses
import datetime
import json
import statistics
import uuid
from typing import Any

from dougong_ci.judge import host
from dougong_ci.judge.claims import open_claims, settle
from dougong_ci.judge.docket import GATES, Docket
from dougong_ci.judge.request import JudgeRequest
from dougong_ci.judge.speed import SLOWEST
from dougong_ci.quality.cost import pareto
from dougong_ci.report.decision import Decision
from dougong_ci.report.edition import SUITE
from dougong_ci.report.score import score_cases
from dougong_ci.report.verdict import Outcome, Score, SpeedCase, Subject, Verdict

NOISE_MEDIAN = 0.025
"""The A/A copy is the baseline's own code; half of the 5 % that a speed claim is about."""
NOISE_INTERVAL = 0.05
"""Where even the interval of identical code spans a claim's size, nothing can be told."""
PLAUSIBLE = 10.0
"""Beyond this over an exact baseline a person looks first."""
FLOOR_SHARE = 0.9
WAITING_SHARE = 0.05
"""Of the timed span, that judge and timed process waited for a processor; one busy neighbour on
two cores shows as a third."""


def noise(cases: list[SpeedCase], seed: int) -> tuple[str, list[Score]]:
    """Return why a busy host or the A/A control disqualifies the times, and the control's scores.

    The reason is empty where nothing does.
    """
    control = [dataclasses.replace(case, candidate_us=case.control_us) for case in cases]
    scores = score_cases(control, seed)
    if reason := busy(cases):
        return reason, scores
    for score in scores:
        if not 1 / (1 + NOISE_MEDIAN) <= score.speedup <= 1 + NOISE_MEDIAN:
            return f"identical code measured {score.speedup:.3f}x; the limit is ±2.5 %", scores
        if score.ci_low < 1 / (1 + NOISE_INTERVAL) or score.ci_high > 1 + NOISE_INTERVAL:
            interval = f"[{score.ci_low:.3f}, {score.ci_high:.3f}]"
            return f"interval of identical code {interval}; the limit is ±5 %", scores
    return "", scores


def busy(cases: list[SpeedCase]) -> str:
    """Return why the machine had other work, or nothing; no number of restarts mends that."""
    waiting = [share for case in cases for share in case.waiting_share]
    if not waiting or (share := statistics.median(waiting)) <= WAITING_SHARE:
        return ""
    return (
        f"the machine was busy: {share:.0%} of the timed span was spent waiting for a processor; "
        f"the limit is {WAITING_SHARE:.0%}"
    )


def settled(docket: Docket, seed: int) -> bool:
    """Say whether more restarts would tell nothing new.

    The machine is busy; or the control is quiet, every board decided and every claim answered.
    """
    cases = list(docket.speed.values())
    if busy(cases):
        return True
    if noise(cases, seed)[0]:
        return False
    decided = all(s.decision != Decision.UNDECIDED for s in score_cases(cases, seed))
    return decided and not open_claims(docket.operator.claims, cases)


def is_timed(docket: Docket) -> bool:
    """Say whether the contract has anything that is timed on its own."""
    return any("speed" in work.purpose for work in docket.answers.contract.workloads)


def rule_untimed(docket: Docket) -> None:
    """Note that the contract times nothing on its own, so that no gate waits for it."""
    for name in ("noise", "speed"):
        docket.skip(name, "the contract times no call on its own", required=False)


def rule_on_speed(docket: Docket, seed: int) -> None:
    """Run the noise and speed gates over the samples gathered."""
    cases = list(docket.speed.values())
    with docket.gate("noise") as gate:
        reason, control = noise(cases, seed)
        gate.measurements = {"control": [dataclasses.asdict(score) for score in control]}
        gate.outcome = Outcome.INCONCLUSIVE if reason else Outcome.PASSED
        gate.summary = reason or "A/A control " + ", ".join(map(_interval, control))
    with docket.gate("speed") as gate:
        scores = score_cases(cases, seed)
        docket.held = _held(cases, scores, exact=docket.answers.contract.equivalence == "exact")
        gate.measurements = {"scores": [dataclasses.asdict(score) for score in scores]}
        gate.summary = _spoken(scores, cases)
        if docket.held:
            gate.outcome, gate.summary = Outcome.INCONCLUSIVE, docket.held
        elif (slower := min(map(_slower, cases))) > SLOWEST:
            docket.fail(gate, f"at best {slower:.0f}x slower than the baseline; the limit is 20x")
        elif docket.gates["noise"].outcome is Outcome.INCONCLUSIVE:
            gate.outcome = Outcome.INCONCLUSIVE
            gate.summary += " (not believed: the control was noisy)"


def assemble(
    docket: Docket, request: JudgeRequest, judge: dict[str, Any], before: dict[str, float]
) -> Verdict:
    """Write the verdict of one operator, and tell that it is finished.

    Args:
        docket: All that was found.
        request: What was asked.
        judge: Of the judge itself.
        before: Load and clocks at the beginning.
    """
    for name in GATES:
        docket.skip(name, docket.unavailable or "not run: an earlier gate failed")
    outcome, code = _outcome(docket)
    cases = list(docket.speed.values()) if _measured(docket) else []
    seed = int(judge["seed"])
    docket.emit(
        {
            "kind": "operator_finished",
            "operator": docket.operator.name,
            "outcome": outcome.value,
            "code": code,
        }
    )
    contract = docket.answers.contract
    return Verdict(
        id=str(uuid.uuid4()),
        subject=Subject(
            operator=json.loads(json.dumps(dataclasses.asdict(docket.operator))),
            distribution=docket.source.distribution,
            version=docket.source.version,
            sha256=docket.source.sha256,
        ),
        contract=contract.id,
        contract_digest=contract.digest,
        suite=f"{contract.id}/{SUITE}",
        device=docket.answers.device.name,
        hardware_class=docket.answers.device.hardware_class(),
        outcome=outcome,
        code=code,
        summary=_summary(docket, outcome, cases, seed),
        gates=[docket.gates[name] for name in GATES],
        accuracy=docket.accuracy,
        histograms=docket.spread.histograms(),
        quality=docket.quality,
        pareto=pareto(docket.quality, docket.lengths),
        speed=cases,
        scores=score_cases(cases, seed),
        fingerprint={
            **docket.answers.device.fingerprint(),
            **before,
            "load_after": host.load(),
            **{f"{name}_after": value for name, value in docket.answers.device.clocks().items()},
        },
        judge=judge,
        started_at=_iso(docket.began),
        finished_at=datetime.datetime.now(datetime.UTC).isoformat(),
        claims=settle(docket.operator.claims, cases, docket.accuracy, docket.gates),
    )


def _outcome(docket: Docket) -> tuple[Outcome, str]:
    if docket.unavailable:
        return Outcome.SKIPPED, "UNAVAILABLE"
    if docket.code:
        return Outcome.FAILED, docket.code
    if docket.held:
        return Outcome.INCONCLUSIVE, "HELD"
    outcomes = {gate.outcome for gate in docket.gates.values() if gate.required}
    if Outcome.ERRORED in outcomes:
        return Outcome.ERRORED, "JUDGE_ERROR"
    if Outcome.INCONCLUSIVE in outcomes:
        return Outcome.INCONCLUSIVE, "INCONCLUSIVE_NOISE"
    speed = docket.gates["speed"]
    if speed.required and speed.outcome is not Outcome.PASSED:
        return Outcome.INCONCLUSIVE, "INCONCLUSIVE_UNMEASURED"
    return Outcome.PASSED, "ACCEPTED"


def _measured(docket: Docket) -> bool:
    return "noise" in docket.gates and docket.gates["noise"].outcome is not Outcome.SKIPPED


def _summary(docket: Docket, outcome: Outcome, cases: list[SpeedCase], seed: int) -> str:
    if docket.unavailable:
        return docket.unavailable
    for wanted in (Outcome.FAILED, Outcome.ERRORED, Outcome.INCONCLUSIVE):
        for name in GATES:
            if docket.gates[name].outcome is wanted and outcome is wanted:
                return f"{name}: {docket.gates[name].summary}"
    if not is_timed(docket):
        return docket.gates["quality"].summary
    scores = score_cases(cases, seed)
    return _spoken(scores, cases) or "not measured"


def _held(cases: list[SpeedCase], scores: list[Score], *, exact: bool) -> str:
    for case in cases:
        best = min((statistics.median(times) for times in case.candidate_us), default=0.0)
        if best < FLOOR_SHARE * case.floor_us:
            return (
                f"{case.workload}: {best:.3g} us is below the {case.floor_us:.3g} us that this "
                "machine needs to move or compute that much; held for review"
            )
    for score in scores:
        if exact and score.speedup > PLAUSIBLE:
            return f"{score.speedup:.1f}x over an exact baseline is held for review above 10x"
    return ""


def _slower(case: SpeedCase) -> float:
    """Return how much slower the candidate is at its best; a busy host cannot feign it."""
    base_us, best_us = (min(map(min, times)) for times in (case.baseline_us, case.candidate_us))
    return best_us / base_us


def _interval(score: Score) -> str:
    return (
        f"{score.speedup:.3f}x [{score.ci_low:.3f}, {score.ci_high:.3f}] {score.mode} {score.dtype}"
    )


def _spoken(scores: list[Score], cases: list[SpeedCase]) -> str:
    """Say the speed of every board in one line, with what was decided."""
    words = {"faster": "faster", "not_faster": "not faster", "undecided": "undecided"}
    return ", ".join(
        f"{_interval(s)} over {cases[0].baseline}, {words[s.decision]}" for s in scores
    )


def _iso(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()
