"""Commands in comments: `/dougong rerun`, `unblock`, `hold`, `level`; recorded, done or not."""

from __future__ import annotations

import re

from django.db import connection, transaction
from django.utils import timezone

from dougong_registry.contributions.policy import policy_in_force
from dougong_registry.contributions.services import hold_to_level
from dougong_registry.forge import queue
from dougong_registry.forge.credit import level_apply
from dougong_registry.forge.models import Head, Pull
from dougong_registry.forge.people import APPROVE, RERUN, Person, identity_of, person_of
from dougong_registry.forge.pulls.events import event_append
from dougong_registry.forge.webhooks.payloads import CommentFacts
from dougong_registry.problem import Conflict, Forbidden, Problem, Refused
from dougong_registry.turns import take_turn

_COMMAND = re.compile(
    r"\s*/dougong[ \t]+(rerun|unblock|hold|level)(?:[ \t]+([^\r\n]{0,200}))?[ \t]*(?:\r?\n|$)"
)
_SHA = re.compile(r"[0-9a-f]{7,64}")


@transaction.atomic
def command_take(comment: CommentFacts) -> bool:
    """Do what a comment commands; return whether it holds a command that is news.

    A comment that says anything else first, was edited, or is not below a known pull request, is no
    command.
    """
    found = _COMMAND.match(comment.body)
    if found is None or comment.edited:
        return False
    take_turn(connection, f"dougong pull {comment.repository_id} {comment.number}")
    pull = Pull.objects.filter(repository_id=comment.repository_id, number=comment.number).first()
    heads = Head.objects.select_for_update().filter(pull=pull)
    head = heads.exclude(state="superseded").order_by("-pk").first()
    if pull is None or head is None:
        return False
    command, words = found[1], (found[2] or "").strip()
    source = f"comment:{comment.id}"
    if pull.events.filter(source=source).exists():
        return False
    refused = ""
    try:
        _do(pull, head, command, words, comment)
    except Problem as problem:
        refused = problem.detail
    event_append(
        pull=pull,
        head=head,
        kind=f"command.{command}",
        actor_id=comment.author_id,
        source=source,
        words=words,
        refused=refused,
    )
    queue.advance_later(head.pk)
    return True


def _do(pull: Pull, head: Head, command: str, words: str, comment: CommentFacts) -> None:
    actor_id = comment.author_id
    person = person_of(actor_id)
    if command == "rerun":
        _rerun(pull, head, person, actor_id)
        return
    if person is None or not person.may(APPROVE):
        raise Forbidden(f"/dougong {command} is for reviewers and maintainers")
    identity_of(actor_id, comment.author_login)  # so that a role can be recorded
    if command == "level":
        _level(pull, head, words, comment)
    elif command == "hold":
        pull.held_reason = words or "no reason given"
        pull.save(update_fields=["held_reason"])
    else:
        _unblock(pull, head, words, actor_id)


def _rerun(pull: Pull, head: Head, person: Person | None, actor_id: int) -> None:
    if actor_id != pull.author_id and not (person and person.may(RERUN)):
        raise Forbidden("/dougong rerun is for the author, members, reviewers and maintainers")
    if head.state not in ("errored", "rejected"):
        raise Conflict(f"{head.sha[:12]} is {head.state}; what ended without success can be rerun")
    head.state, head.reason, head.round = "received", "", head.round + 1
    head.failures, head.not_before = 0, timezone.now()
    head.save()


def _level(pull: Pull, head: Head, words: str, comment: CommentFacts) -> None:
    if comment.author_id == pull.author_id:
        raise Forbidden("nobody sets the level of a change of their own")
    level, policy = words.partition(" ")[0], policy_in_force()
    hold_to_level(policy, level, identity_of(comment.author_id, comment.author_login))
    event_append(
        pull=pull,
        head=head,
        kind="level",
        actor_id=comment.author_id,
        source=f"level:{comment.id}",
        level=level,
        login=comment.author_login,
    )
    if head.state == "published":
        level_apply(head)


def _unblock(pull: Pull, head: Head, words: str, actor_id: int) -> None:
    if actor_id == pull.author_id:
        raise Forbidden("nobody unblocks a pull request of their own")
    if not _SHA.fullmatch(words) or not head.sha.startswith(words):
        raise Refused(
            f"name the commit that you looked at: /dougong unblock {head.sha[:12]} is the newest"
        )
    if pull.held_reason:
        pull.held_reason = ""
        pull.save(update_fields=["held_reason"])
    event_append(
        pull=pull,
        head=head,
        kind="unblocked",
        actor_id=actor_id,
        source=f"unblocked:{head.pk}:{actor_id}",
    )
