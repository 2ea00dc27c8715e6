"""JUDGING: the ordinary judgement of a submission, read once it is over."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from dougong_registry.forge.client import Forge
from dougong_registry.forge.config import Config
from dougong_registry.forge.models import Head
from dougong_registry.forge.stages.examining import code
from dougong_registry.forge.stages.move import Move, Say, wait
from dougong_registry.runs.models import Run
from dougong_registry.submissions.models import FIRST_DEVICE, Job, Submission

SPEED_GATES = frozenset({"noise", "speed"})


def judging(config: Config, forge: Forge, head: Head) -> Move:
    """Wait for the verdicts: every operator must pass; what cannot be told yet is waited for."""
    submission = head.submission
    if submission is None or submission.state in ("queued", "judging"):
        return wait(head)
    if submission.state == Submission.State.FAILED:
        return _stopped("errored", f"no verdict: {submission.error}")
    runs = newest_runs(submission)
    if failed := [run for run in runs if run.outcome == "failed"]:
        why = "; ".join(f"{run.operator.name}: {run.code} {run.summary}" for run in failed)
        return Move(state="rejected", reason=why, say=_say(runs))
    if open_runs := [run for run in runs if run.outcome != "passed"]:
        waiting = Job.objects.filter(submission=submission, state__in=("queued", "leased"))
        if waiting.exists():
            return wait(head, *(_unsettled(said) for said in _say(runs)))
        why = "; ".join(f"{run.operator.name}: {run.outcome} {run.code}" for run in open_runs)
        return Move(state="errored", reason=f"could not be told: {why}", say=_say(runs))
    review = Say(name="review", outcome="running", title="Waiting for approvals")
    return Move(state="review", say=[*_say(runs), review])


def newest_runs(submission: Submission) -> Sequence[Run]:
    """Return the newest run of each operator where submissions are judged first."""
    runs = (
        Run.objects.filter(submission=submission, device=FIRST_DEVICE)
        .select_related("operator")
        .prefetch_related("gates", "scores")
        .defer("payload")
        .order_by("pk")
    )
    return list({run.operator.name: run for run in runs}.values())


def _stopped(state: str, reason: str) -> Move:
    say = [
        Say(name=name, outcome="errored", title=reason, summary=code(reason))
        for name in ("correctness", "speed")
    ]
    return Move(state=state, reason=reason, say=say)


def _unsettled(said: Say) -> Say:
    """Turn what could not be told into what cannot be told yet: it is judged again."""
    if said.outcome != "errored":
        return said
    title = "Could not be told yet; it is judged again when the machine is quieter"
    return dataclasses.replace(said, outcome="running", title=title)


def _say(runs: Sequence[Run]) -> list[Say]:
    return [
        _one("correctness", runs, lambda name: name not in SPEED_GATES),
        _one("speed", runs, lambda name: name in SPEED_GATES),
    ]


def _one(step: str, runs: Sequence[Run], belongs: Callable[[str], bool]) -> Say:
    rows, outcomes = ["| operator | gate | outcome | |", "|---|---|---|---|"], set()
    for run in runs:
        for gate in sorted(run.gates.all(), key=lambda each: each.position):
            if belongs(gate.name):
                outcomes.add(gate.outcome if gate.required else "passed")
                cells = (run.operator.name, gate.name, gate.outcome, gate.summary)
                rows.append(
                    "| " + " | ".join(code(cell).replace("|", "\\|") for cell in cells) + " |"
                )
    said = next((each for each in ("failed", "errored", "inconclusive") if each in outcomes), "")
    outcome = {"": "passed", "failed": "failed"}.get(said, "errored")
    titles = {
        "passed": "Every gate passed",
        "failed": "A gate failed",
        "errored": "Could not be told",
    }
    return Say(name=step, outcome=outcome, title=titles[outcome], summary="\n".join(rows))
