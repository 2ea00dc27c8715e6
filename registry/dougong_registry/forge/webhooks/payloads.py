"""What the hub reads of a message: a few fields of three events, and nothing of the others."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from dougong_registry.problem import Refused

TAKEN: Mapping[str, frozenset[str]] = {
    "pull_request": frozenset({"opened", "synchronize", "reopened", "closed", "ready_for_review"}),
    "issue_comment": frozenset({"created"}),
    "pull_request_review": frozenset({"submitted", "dismissed"}),
}
"""Events and actions that are taken; all others are ignored on purpose."""
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
MAX_COMMENT = 2_000
"""A command is one line; what follows is not read."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PullFacts:
    """A pull request as the forge describes it."""

    repository_id: int
    number: int
    author_id: int
    author_login: str
    head_sha: str
    base_sha: str
    state: str
    """`open`, `closed` or `merged`."""
    merge_sha: str
    updated_at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommentFacts:
    """A comment below a pull request."""

    repository_id: int
    number: int
    id: int
    author_id: int
    author_login: str
    body: str
    created_at: dt.datetime
    edited: bool
    """Who may edit others' comments could put words into their mouths."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFacts:
    """What a reviewer said of one commit."""

    id: int
    reviewer_id: int
    login: str
    sha: str
    state: str
    """`approved`, `changes_requested`, `dismissed`; what else there is decides nothing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a message says; a part that it does not have is None."""

    at: dt.datetime
    pull: PullFacts | None = None
    comment: CommentFacts | None = None
    review: ReviewFacts | None = None


def read(event: str, body: Mapping[str, Any]) -> Message | None:
    """Read a message; None where it is of an event or action that is not taken.

    Raises:
        Refused: it lacks a field that all messages of its event have, or one is of another type.
    """
    if str(body.get("action", "")) not in TAKEN.get(event, ()):
        return None
    try:
        if event == "issue_comment":
            return _comment(body)
        pull = pull_facts(body["pull_request"], int(body["repository"]["id"]))
        if event == "pull_request":
            return Message(at=pull.updated_at, pull=pull)
        return Message(at=pull.updated_at, pull=pull, review=review_facts(body["review"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(f"a {event} message lacks {error} or has it of another type") from error


def _comment(body: Mapping[str, Any]) -> Message | None:
    if "pull_request" not in body["issue"]:
        return None
    facts = comment_facts(
        body["comment"], int(body["repository"]["id"]), int(body["issue"]["number"])
    )
    return Message(at=facts.created_at, comment=facts)


def comment_facts(comment: Mapping[str, Any], repository_id: int, number: int) -> CommentFacts:
    """Read a comment as the forge's messages and its API alike have it."""
    user = comment["user"] or {"id": 0, "login": "ghost"}
    return CommentFacts(
        repository_id=repository_id,
        number=number,
        id=int(comment["id"]),
        author_id=int(user["id"]),
        author_login=str(user["login"])[:64],
        body=str(comment["body"] or "")[:MAX_COMMENT],
        created_at=moment(comment["created_at"]),
        edited=comment["updated_at"] != comment["created_at"],
    )


def review_facts(review: Mapping[str, Any]) -> ReviewFacts:
    """Read a review as the forge's messages and its API alike have it."""
    user = review["user"] or {"id": 0, "login": "ghost"}
    return ReviewFacts(
        id=int(review["id"]),
        reviewer_id=int(user["id"]),
        login=str(user["login"]),
        sha=str(review["commit_id"] or ""),
        state=str(review["state"]).lower(),
    )


def pull_facts(pull: Mapping[str, Any], repository_id: int) -> PullFacts:
    """Read a pull request as the forge's messages and its API alike have it."""
    merged = bool(pull.get("merged_at"))
    head, base = str(pull["head"]["sha"]), str(pull["base"]["sha"])
    merge_sha = str(pull.get("merge_commit_sha") or "") if merged else ""
    for sha in filter(None, (head, base, merge_sha)):
        if not _SHA.fullmatch(sha):
            raise ValueError(f"a commit's hash, got {sha[:80]!r}")
    user = pull["user"] or {"id": 0, "login": "ghost"}
    return PullFacts(
        repository_id=repository_id,
        number=int(pull["number"]),
        author_id=int(user["id"]),
        author_login=str(user["login"])[:64],
        head_sha=head,
        base_sha=base,
        state="merged" if merged else str(pull["state"]),
        merge_sha=merge_sha,
        updated_at=moment(pull["updated_at"]),
    )


def moment(text: Any) -> dt.datetime:
    """Read a time with its zone.

    Raises:
        ValueError: it is none.
    """
    found = dt.datetime.fromisoformat(str(text))
    if found.tzinfo is None:
        raise ValueError(f"a time with its zone, got {text!r}")
    return found
