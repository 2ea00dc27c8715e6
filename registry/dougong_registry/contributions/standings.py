"""Keeping what the policy says of people: after every record of one, and of all every day."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from django.db import connection, models, transaction
from django.utils import timezone

from dougong_registry.contributions.models import Contribution, RoleAct, Sponsorship, Standing
from dougong_registry.contributions.policy import Decision, Event, decide, policy_in_force
from dougong_registry.people.models import Identity
from dougong_registry.turns import take_turn

BATCH = 200
# The audit log's own: whoever publishes a release holds it already when the ledger is written, and
# two turns taken in two orders would wait for each other.
TURN = "dougong audit"


def decision_now(person: Identity) -> Decision:
    """Return what the policy in force says of a person at this moment."""
    return decide(policy_in_force(), _events([person.pk])[person.pk], timezone.now())


@transaction.atomic
def standings_refresh(people: Sequence[int], *, now: dt.datetime | None = None) -> None:
    """Make anew what is kept of these people."""
    take_turn(connection, TURN)
    now, policy = now or timezone.now(), policy_in_force()
    counts = Counter(
        Contribution.in_force().filter(person__in=people).values_list("person_id", flat=True)
    )
    events = _events(people)
    rows = [
        _row(person, counts[person], decide(policy, events[person], now), now) for person in people
    ]
    kept = [field.name for field in Standing._meta.concrete_fields if not field.primary_key]
    Standing.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["person"],
        update_fields=[name for name in kept if name != "person"],
    )


def standings_rebuild() -> Iterator[int]:
    """Make all of them anew; yields how many people are done after each batch."""
    now = timezone.now()
    theirs = models.OuterRef("pk")
    known = Identity.objects.filter(
        models.Exists(Contribution.objects.filter(person=theirs))
        | models.Exists(RoleAct.objects.filter(person=theirs))
        | models.Exists(Sponsorship.objects.filter(person=theirs))
    )
    people = iter(list(known.order_by("pk").values_list("pk", flat=True)))
    done = 0
    while batch := list(islice(people, BATCH)):
        standings_refresh(batch, now=now)
        done += len(batch)
        yield done


def _row(person: int, count: int, decision: Decision, now: dt.datetime) -> Standing:
    return Standing(
        person_id=person,
        role=decision.role,
        standing=decision.standing,
        eligible_for=decision.eligible_for,
        next_role=decision.next_role,
        points=decision.points,
        contributions=count,
        reasons=list(decision.reasons),
        missing=[
            {"what": each.what, "has": each.has, "needs": each.needs} for each in decision.missing
        ],
        policy_version=decision.policy_version,
        decided_at=now,
    )


def _events(people: Iterable[int]) -> dict[int, list[Event]]:
    """Return everything about each of these people, as the policy reads it."""
    found: dict[int, list[Event]] = defaultdict(list)
    wanted = list(people)
    works = list(Contribution.objects.filter(person__in=wanted).values_list(*_WORK))
    acts = list(RoleAct.objects.filter(person__in=wanted))
    sponsorships = list(Sponsorship.objects.filter(person__in=wanted))
    names = _names(
        {*wanted}
        | {each for work in works for each in work[4:6] if each}
        | {act.by_id for act in acts if act.by_id}
        | {each.sponsor_id for each in sponsorships}
    )
    for pk, person, kind, level, decided_by, about, data_only, at, replaces in works:
        found[person].append(
            Event(
                at=at,
                id=str(pk),
                kind=kind,
                person=names[person],
                by=names[decided_by],
                about=names[about],
                level=level,
                data_only=data_only,
                voids="" if replaces is None else str(replaces),
            )
        )
    for act in acts:
        found[act.person_id].append(
            Event(
                at=act.at,
                id=f"act {act.pk:012}",
                kind=act.act,
                person=names[act.person_id],
                by=names[act.by_id],
                role=act.role,
            )
        )
    for each in sponsorships:
        found[each.person_id].append(
            Event(
                at=each.at,
                id=f"sponsorship {each.pk}",
                kind="sponsorship",
                person=names[each.person_id],
                by=names[each.sponsor_id],
                role=each.role,
                by_role=each.sponsor_role,
                affiliation=each.affiliation,
            )
        )
    return found


_WORK = (
    "pk",
    "person_id",
    "kind",
    "level",
    "decided_by_id",
    "about_id",
    "data_only",
    "occurred_at",
    "replaces_id",
)


def _names(people: set[int]) -> dict[int | None, str]:
    rows = Identity.objects.filter(pk__in=people).values_list("pk", "provider", "external_id")
    return {None: "", **{pk: f"{provider}:{external}" for pk, provider, external in rows}}
