"""Pull requests as they are seen: one row each, one row a head, and only the newest is open."""

from __future__ import annotations

from django.db import connection, transaction
from django.utils import timezone

from dougong_registry.columns import hold_to_columns
from dougong_registry.forge import queue
from dougong_registry.forge.models import OPEN, Head, Pull
from dougong_registry.forge.pulls.events import event_append
from dougong_registry.forge.pulls.steps import steps_cancel
from dougong_registry.forge.reviews import approvals_dismiss
from dougong_registry.forge.webhooks.payloads import PullFacts
from dougong_registry.turns import take_turn


@transaction.atomic
def pull_seen(facts: PullFacts) -> Pull:
    """Take what a message or a poll says of a pull request; the same thing again changes nothing.

    News older than what is known moves nothing back: messages arrive in any order.
    """
    take_turn(connection, f"dougong pull {facts.repository_id} {facts.number}")
    pull = _ensure(facts)
    if facts.updated_at < pull.forge_updated_at or pull.state == "merged":
        return pull
    pull.forge_updated_at = facts.updated_at
    pull.author_login = facts.author_login
    if facts.state == "open":
        pull.state = "open"
        head_seen(pull, facts.head_sha, facts.base_sha)
    elif facts.state == "merged":
        head_seen(pull, facts.head_sha, facts.base_sha)
        _merged(pull, facts)
    else:
        _closed(pull)
    pull.save()
    return pull


def _ensure(facts: PullFacts) -> Pull:
    key = {"repository_id": facts.repository_id, "number": facts.number}
    if pull := Pull.objects.filter(**key).first():
        return pull
    pull = Pull(
        **key,
        author_id=facts.author_id,
        author_login=facts.author_login,
        forge_updated_at=facts.updated_at,
    )
    hold_to_columns(pull)
    pull.save(force_insert=True)
    return pull


def head_seen(pull: Pull, sha: str, base_sha: str) -> Head:
    """Return the head of this commit, made if there is none; others that are open give way.

    A head that gave way and comes back, because a push was taken back, is gone on with where its
    own steps left it.
    """
    head = Head.objects.select_for_update().filter(pull=pull, sha=sha).first()
    if head is None:
        head = Head(pull=pull, sha=sha, base_sha=base_sha)
        hold_to_columns(head)
        head.save(force_insert=True)
        queue.advance_later(head.pk)
    elif head.state in ("superseded", "closed"):
        head.state, head.reason, head.round = "received", "", head.round + 1
        head.base_sha, head.not_before = base_sha, timezone.now()
        head.save()
        queue.advance_later(head.pk)
    others = Head.objects.select_for_update().filter(pull=pull, state__in=OPEN)
    for other in others.exclude(pk=head.pk):
        other.state, other.reason = "superseded", f"superseded by {sha[:12]}"
        other.save()
        steps_cancel(other, other.reason)
        event_append(
            pull=pull,
            head=other,
            kind="superseded",
            source=f"superseded:{other.pk}:{other.round}",
            by=sha,
        )
        approvals_dismiss(other)
        queue.advance_later(other.pk)
    return head


def _merged(pull: Pull, facts: PullFacts) -> None:
    pull.state, pull.merge_sha = "merged", facts.merge_sha
    head = Head.objects.get(pull=pull, sha=facts.head_sha)
    event_append(pull=pull, head=head, kind="merged", source="merged", commit=facts.merge_sha)
    queue.advance_later(head.pk)


def _closed(pull: Pull) -> None:
    pull.state = "closed"
    for head in Head.objects.select_for_update().filter(pull=pull, state__in=OPEN):
        head.state, head.reason = "closed", "closed without being merged"
        head.save()
        steps_cancel(head, head.reason)
        queue.advance_later(head.pk)
