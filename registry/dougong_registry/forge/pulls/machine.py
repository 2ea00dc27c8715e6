"""The machine: a stage says what to do with a head, and that stands in one transaction."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping

from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import F, Q
from django.utils import timezone

from dougong_ci.intake.git import GitError
from dougong_registry.forge.client import Forge
from dougong_registry.forge.config import Config
from dougong_registry.forge.models import MOVING, Head
from dougong_registry.forge.pulls.steps import step_set
from dougong_registry.forge.stages.building import building
from dougong_registry.forge.stages.examining import blocked, examining, received
from dougong_registry.forge.stages.judging import judging
from dougong_registry.forge.stages.move import Move, Say, wait
from dougong_registry.forge.stages.publishing import publishing
from dougong_registry.forge.stages.reviewing import reviewing
from dougong_registry.problem import Problem

Stage = Callable[[Config, Forge, Head], Move]
STAGES: Mapping[str, Stage] = {
    "received": received,
    "examining": examining,
    "blocked": blocked,
    "building": building,
    "judging": judging,
    "review": reviewing,
    "publishing": publishing,
}
HELD_BACK = ("building", "review", "publishing")
"""What does not begin while a reviewer holds the pull request."""
AGAIN_S = {"review": 600, "blocked": 600}
"""What people do wakes these; the others are looked at every `SOON_S`."""
SOON_S = 10
MAX_FAILURES = 8
MAX_WAIT_S = 3600

MISSHAPEN = (KeyError, TypeError, ValueError)

logger = logging.getLogger(__name__)


def advance(config: Config, forge: Forge, head_id: int) -> None:
    """Take a head as far as it goes now.

    A process may be killed anywhere in here: nothing is kept between two transactions but the
    state that the last one left, and what a stage does outside of them can be done again.
    """
    for _ in range(len(STAGES) + 1):
        head = Head.objects.select_related("pull", "submission").get(pk=head_id)
        stage = STAGES.get(head.state)
        if stage is None:
            return
        try:
            move = _held(head) or stage(config, forge, head)
            went_on = _stand(head, move)
        # The forge's answers and a stranger's objects may be of any shape; the head must not hang.
        except (GitError, Problem, OSError, DatabaseError, InterfaceError, *MISSHAPEN) as error:
            _failed(head_id, error)
            return
        if not went_on:
            return


def _held(head: Head) -> Move | None:
    reason = head.pull.held_reason
    if not reason or head.state not in HELD_BACK:
        return None
    return wait(head, Say(name="review", outcome="blocked", title=f"On hold: {reason}"))


@transaction.atomic
def _stand(seen: Head, move: Move) -> bool:
    """Let a decision stand if the head is as it was when it was made; return whether it moved."""
    head = Head.objects.select_for_update(of=("self",)).select_related("pull").get(pk=seen.pk)
    if (head.state, head.round) != (seen.state, seen.round):
        return head.state in STAGES
    if head.pull.held_reason and head.state in HELD_BACK and move.state != head.state:
        return False  # somebody put it on hold meanwhile, and woke it to say so
    said = [step_set(head, each) for each in move.say]
    moved = move.state != head.state
    head.state, head.reason, head.failures = move.state, move.reason.replace("\0", ""), 0
    for name, value in move.fields.items():
        setattr(head, name, value)
    if head.changes == seen.changes:  # else somebody woke it meanwhile
        wait_s = AGAIN_S.get(head.state, SOON_S)
        head.not_before = timezone.now() + dt.timedelta(seconds=wait_s)
    head.changes += moved or any(said)
    if move.also is not None:
        move.also(head)
    head.save()
    return moved


@transaction.atomic
def _failed(head_id: int, error: Exception) -> None:
    """Come back later, and later each time; give up at last, which never counts as a pass."""
    head = Head.objects.select_for_update(of=("self",)).get(pk=head_id)
    if head.state not in STAGES:
        return
    head.failures += 1
    said = error.detail if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
    logger.warning("head %s stays %s, try %s: %s", head.sha, head.state, head.failures, said)
    wait_s = min(SOON_S * 2**head.failures, MAX_WAIT_S)
    head.not_before = timezone.now() + dt.timedelta(seconds=wait_s)
    if head.failures >= MAX_FAILURES:
        head.reason = f"{head.state}, tried {head.failures} times: {said}"[:2000].replace("\0", "")
        head.state, head.failures = "errored", 0
        head.changes += 1
    head.save()


def due(limit: int = 200) -> list[int]:
    """Return heads that are worth looking at now, and put off their next turn."""
    now = timezone.now()
    ids = list(
        Head.objects.filter(Q(state__in=MOVING) | Q(told__lt=F("changes")), not_before__lte=now)
        .order_by("not_before")
        .values_list("pk", flat=True)[:limit]
    )
    Head.objects.filter(pk__in=ids).update(not_before=now + dt.timedelta(seconds=3 * SOON_S))
    return ids


BUSY_S = 600


@contextlib.contextmanager
def alone(head_id: int) -> Iterator[bool]:
    """Let one process at a time work on a head; yield whether it is this one.

    Who is killed holds it for ten minutes at most, above the longest that a stage takes.
    """
    now = timezone.now()
    free = Head.objects.filter(pk=head_id, busy_until__lte=now)
    mine = bool(free.update(busy_until=now + dt.timedelta(seconds=BUSY_S)))
    try:
        yield mine
    finally:
        if mine:
            Head.objects.filter(pk=head_id).update(busy_until=timezone.now())
