"""What a pull request's page says in words: where it stands, why, and who must act."""

from __future__ import annotations

import dataclasses

from dougong_registry.forge.pulls.rows import PullDetail, PullStepRow

STANDS = {
    "": "not read yet",
    "received": "received",
    "examining": "being read",
    "blocked": "waits for a reviewer to unblock it",
    "building": "being built",
    "judging": "being judged",
    "review": "waits for approvals and the merge",
    "publishing": "merged; being built again to be published",
    "published": "published",
    "ignored": "touches no plugin",
    "rejected": "stopped",
    "errored": "could not be told",
    "superseded": "gave way to a newer commit",
    "closed": "closed without being merged",
    "quarantined": "held back: what was merged is not what was judged",
}
BADGES = {
    "published": "passed",
    "rejected": "failed",
    "quarantined": "failed",
    "errored": "errored",
    "blocked": "held",
    "review": "held",
    "ignored": "skipped",
    "superseded": "skipped",
    "closed": "skipped",
    "": "waiting",
    "received": "waiting",
}
MEANS = {
    "lint": "scope, names, licence, sizes",
    "scan": "secrets, hidden characters, binaries",
    "unblock": "a reviewer looks before anything of it runs",
    "build": "the wheel, in a sandbox",
    "correctness": "every gate but speed",
    "speed": "against the pinned baseline",
    "review": "approvals of this very commit",
    "publish": "built again, same bytes, sealed",
}
_STATES = {
    "passed": "done",
    "running": "active",
    "blocked": "held",
    "failed": "stopped",
    "errored": "stopped",
    "skipped": "done",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """The one thing that a reader must know first."""

    tone: str
    says: str
    more: str


def stands(state: str) -> str:
    """Write the state of a head in a few words."""
    return STANDS.get(state, state)


def tone(state: str) -> str:
    """Return the outcome whose colour and icon a state has; what goes on by itself is running."""
    return BADGES.get(state, "running")


def rail_state(step: PullStepRow) -> str:
    """Return how a step is drawn: `done`, `active`, `held`, `stopped` or `waiting`."""
    return _STATES.get(step.outcome, "waiting")


def rail_note(step: PullStepRow) -> str:
    """Write under a step what it came to; of what is to come, what it asks."""
    if step.outcome in ("passed", "skipped", "waiting"):
        return "not needed" if step.outcome == "skipped" else MEANS[step.name]
    return step.title


def banner(detail: PullDetail) -> Banner:
    """Say where a pull request stands, and the one reason for it."""
    head = detail.head
    if head is None:
        return Banner(tone="waiting", says="Not read yet.", more="")
    says = f"{stands(head.state).capitalize()}."
    if detail.pull.held_reason and head.state not in ("published", "closed"):
        return Banner(tone="held", says=f"On hold: {detail.pull.held_reason}", more=says)
    return Banner(tone=tone(head.state), says=_says(detail, head.state, says), more=_more(detail))


def _says(detail: PullDetail, state: str, says: str) -> str:
    stopped = next((step.name for step in detail.steps if rail_state(step) == "stopped"), "")
    reason = detail.head.reason if detail.head else ""
    if stopped:
        return f"Stopped at {stopped}: {reason}"
    if state == "blocked" and detail.unblock:
        return f"Waits for a reviewer to look first: {', '.join(detail.unblock)}."
    if state == "review" and detail.approvals_missing:
        return f"Passed. Still needed: {'; '.join(detail.approvals_missing)}."
    if state == "review":
        return "Passed and approved. It waits for the merge."
    return f"{says[:-1]}: {reason}" if reason and state != "superseded" else says


def _more(detail: PullDetail) -> str:
    head = detail.head
    if head is None:
        return ""
    short = head.sha[:12]
    return {
        "rejected": "Push a commit that mends it, or write /dougong rerun if nothing need change.",
        "errored": "That was nobody's fault and is no pass: /dougong rerun goes through it again.",
        "blocked": f"A reviewer who has looked writes /dougong unblock {short}",
        "superseded": head.reason,
        "published": f"dougong install {detail.distribution}=={detail.version}",
    }.get(head.state, "")
