"""Steps: one row a stage of a round, written again to the same row after a crash."""

from __future__ import annotations

from django.utils import timezone

from dougong_registry.forge.models import Head, Step
from dougong_registry.forge.stages.move import Say

MAX_TITLE = 200
MAX_SUMMARY = 20_000


def step_set(head: Head, say: Say) -> bool:
    """Write what a stage came to, in the caller's transaction; return whether it is news."""
    values = {
        "outcome": say.outcome,
        "title": say.title.replace("\0", "")[:MAX_TITLE],
        "summary": say.summary.replace("\0", "")[:MAX_SUMMARY],
        "annotations": list(say.annotations),
    }
    step = Step.objects.filter(head=head, round=head.round, name=say.name).first()
    if step is None:
        step = Step(head=head, round=head.round, name=say.name)
    elif all(getattr(step, name) == value for name, value in values.items()):
        return False
    for name, value in values.items():
        setattr(step, name, value)
    step.finished_at = None if say.outcome == "running" else timezone.now()
    step.save()
    return True


def steps_cancel(head: Head, why: str) -> None:
    """Close what is still running of a head that gave way."""
    Step.objects.filter(head=head, outcome__in=("running", "blocked")).update(
        outcome="cancelled", title=why[:MAX_TITLE], finished_at=timezone.now()
    )
