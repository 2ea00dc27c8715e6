"""The one summary comment of a pull request: where it stands, and the table of verdicts."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings

from dougong_registry.forge.models import Head
from dougong_registry.forge.stages.examining import code
from dougong_registry.forge.stages.judging import newest_runs

MARKER = "<!-- dougong -->"
STANDS = {
    "received": "was received",
    "examining": "is being read",
    "blocked": "waits for a reviewer to unblock it",
    "building": "is being built",
    "judging": "is being judged",
    "review": "passed; it waits for approvals and the merge",
    "publishing": "is merged, and built again to be published",
    "published": "is published",
    "rejected": "was stopped",
    "errored": "could not be told; `/dougong rerun` tries again",
    "superseded": "gave way to a newer commit",
    "closed": "was closed",
    "quarantined": "is held back and will not be published",
}


def comment_body(head: Head) -> str:
    """Return the comment as it must be now: our words, a stranger's as code."""
    return "\n".join([MARKER, *_lines(head)])


def _lines(head: Head) -> Iterator[str]:
    yield f"### Dougong: `{head.sha[:12]}` {STANDS[head.state]}"
    yield ""
    if head.plugin:
        yield f"Plugin {code(head.plugin)}, a change of level {head.level or '?'}."
    if head.reason:
        yield f"**Reason:** {code(head.reason)}"
    if head.pull.held_reason:
        yield f"**On hold:** {code(head.pull.held_reason)}"
    yield ""
    yield "| step | outcome | |"
    yield "|---|---|---|"
    for step in head.steps.filter(round=head.round).order_by("pk"):
        yield f"| {step.name} | {step.outcome} | {_cell(step.title)} |"
    yield from _verdicts(head)
    yield ""
    yield (
        "<sub>Commands: `/dougong rerun`, `/dougong hold <why>`, "
        f"`/dougong unblock {head.sha[:12]}`, `/dougong level <level>`.</sub>"
    )


def _verdicts(head: Head) -> Iterator[str]:
    if head.submission is None:
        return
    runs = newest_runs(head.submission)
    if not runs:
        return
    yield ""
    yield "| operator | verdict | speed-up (95 % interval) | on | evidence |"
    yield "|---|---|---|---|---|"
    for run in runs:
        speeds = ", ".join(
            f"{each.speedup:.2f}x ({each.ci_low:.2f} to {each.ci_high:.2f}), "
            f"{each.dtype}, {each.mode}"
            for each in run.scores.all()
        )
        url = f"{settings.DOUGONG_HUB_URL}/runs/{run.verdict_id}/"
        verdict = _cell(f"{run.outcome} {run.code}")
        yield (
            f"| {_cell(run.operator.name)} | {verdict} | {speeds or 'none'} "
            f"| {_cell(run.hardware_class)} | [verdict]({url}) |"
        )


def _cell(text: str) -> str:
    return code(text).replace("|", "\\|")
