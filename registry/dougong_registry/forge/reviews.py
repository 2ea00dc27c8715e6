"""Reviews: each is of one commit, counts for its reviewer alone, and never for the author."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence

from django.utils import timezone

from dougong_registry.contributions.policy import policy_in_force
from dougong_registry.forge import queue
from dougong_registry.forge.models import Event, Head, Pull
from dougong_registry.forge.people import APPROVE, identity_of, people_of, person_of
from dougong_registry.forge.pulls.events import event_append
from dougong_registry.forge.webhooks.payloads import ReviewFacts

APPROVED, CHANGES, DISMISSED = "approved", "changes_requested", "dismissed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """Whether a head has been approved by enough people, and by whom."""

    needed: int
    approvers: Sequence[int]
    missing: Sequence[str]
    """What is still asked for, in words; empty where it is met."""

    @property
    def met(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing


def review_take(pull: Pull, review: ReviewFacts) -> bool:
    """Record what a reviewer said of a head; return whether it is news."""
    if review.state not in (APPROVED, CHANGES, DISMISSED):
        return False
    head = Head.objects.filter(pull=pull, sha=review.sha).first()
    if head is None:
        return False
    new = event_append(
        pull=pull,
        head=head,
        kind=review.state,
        actor_id=review.reviewer_id,
        source=f"review:{review.id}:{review.state}",
        review=review.id,
        login=review.login,
    )
    if new:
        reviewer = person_of(review.reviewer_id)
        if reviewer is not None and reviewer.may(APPROVE):
            identity_of(review.reviewer_id, review.login)  # so that a role can be recorded
        queue.advance_later(head.pk)
    return new


def approvals_dismiss(head: Head) -> None:
    """Take the approvals of a head that gave way back, in the caller's transaction."""
    for reviewer, event in _standing(head).items():
        if event.kind == APPROVED:
            event_append(
                pull=head.pull,
                head=head,
                kind=DISMISSED,
                actor_id=reviewer,
                source=f"dismissed:{event.pk}",
                because="superseded",
            )


def _standing(head: Head) -> dict[int, Event]:
    """Return the last thing each reviewer said of a head."""
    said = Event.objects.filter(head=head, kind__in=(APPROVED, CHANGES, DISMISSED))
    return {event.actor_id: event for event in said.order_by("pk") if event.actor_id is not None}


def level_said(head: Head) -> Event | None:
    """Return the last level that a reviewer set for a head; None where nobody did."""
    return Event.objects.filter(head=head, kind="level").order_by("-pk").first()


def level_of(head: Head) -> str:
    """Return the level whose approvals a head needs: what it touches, or more where it was said."""
    touches, said = head.level or "L2", level_said(head)
    return max(touches, said.detail["level"] if said else "", key=policy_in_force().level_rank)


def quorum(head: Head) -> Quorum:
    """Count who approved a head under the policy of its level and the roles of this moment."""
    rule, said = policy_in_force().level(level_of(head)).approvals, _standing(head)
    known = people_of(said)
    standing = {
        reviewer: event.kind
        for reviewer, event in said.items()
        if reviewer != head.pull.author_id and reviewer in known and known[reviewer].may(APPROVE)
    }
    able = [
        reviewer
        for reviewer, kind in standing.items()
        if kind == APPROVED and known[reviewer].at_least(rule.min_role)
    ]
    missing = []
    if len(able) < rule.count:
        missing.append(f"{len(able)} of {rule.count} approvals by a {rule.min_role}")
    affiliations = {known[reviewer].affiliation for reviewer in able} - {""}
    if len(affiliations) < rule.affiliations:
        missing.append(f"approvals from {rule.affiliations} affiliations")
    if objecting := [reviewer for reviewer, kind in standing.items() if kind == CHANGES]:
        missing.append(f"changes were asked for by {len(objecting)} of the reviewers")
    if timezone.now() < head.created_at + dt.timedelta(days=rule.open_days):
        missing.append(f"open for comments for {rule.open_days} days")
    return Quorum(needed=rule.count, approvers=sorted(able), missing=missing)
