"""Writing the ledger: recording, confirming a level, taking back; each with its audit entry."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from dougong_registry.audit.services import HUB, actor_of, record
from dougong_registry.columns import hold_to_columns
from dougong_registry.contributions.digests import digest
from dougong_registry.contributions.models import Contribution
from dougong_registry.contributions.months import months_refresh, months_touched
from dougong_registry.contributions.policy import Policy, policy_in_force
from dougong_registry.contributions.policy.events import WORK
from dougong_registry.contributions.standings import TURN, decision_now, standings_refresh
from dougong_registry.people.models import Identity
from dougong_registry.plugins.models import Plugin
from dougong_registry.problem import Conflict, Forbidden, Missing, Refused
from dougong_registry.turns import take_turn

Evidence = Sequence[Mapping[str, str]]
"""`{"kind": "run", "id": "..."}`: where anybody can look it up."""
VOIDS = "reviewer"
"""Whoever may set a level may take back."""


@transaction.atomic
def contribution_record(
    *,
    person: Identity,
    kind: str,
    source: str,
    occurred_at: dt.datetime,
    evidence: Evidence,
    level: str = "",
    decided_by: Identity | None = None,
    about: Identity | None = None,
    plugin: Plugin | None = None,
    summary: str = "",
    thread: str = "",
    opened_at: dt.datetime | None = None,
    data_only: bool = False,
) -> tuple[Contribution, bool]:
    """Record what somebody did. The same source again is the same record.

    Args:
        person: Who did it.
        kind: `change`, `review`, `triage` or `report`.
        source: What it is recorded from: `release:acme-rms 1.0`, `forge:org/name#12 merged`.
        occurred_at: When it was done: merged, published, said.
        evidence: Where anybody can look it up.
        level: Of a change: suggested, or final where `decided_by` says whose decision it is.
        decided_by: Who set the level; not the person, and of the role that the level asks for.
        about: Of a review: whose change it was.
        plugin: What it was done to.
        summary: What it was, in a line.
        thread: Where it was talked about, the same of a change and its reviews.
        opened_at: When the thread was opened.
        data_only: It touched nothing but policy files (`policy.levels.is_data_only`).

    Returns:
        The record, and whether it is new.

    Raises:
        Refused: a rule of the ledger is broken.
        Forbidden: `decided_by` may not set this level.
    """
    take_turn(connection, TURN)
    if known := Contribution.objects.filter(source=source).first():
        return known, False
    policy = policy_in_force()
    row = Contribution(
        person=person,
        kind=kind,
        level=level,
        decided_by=decided_by,
        about=about,
        plugin=plugin,
        summary=summary,
        evidence=[dict(each) for each in evidence],
        data_only=data_only,
        source=source,
        thread=thread,
        opened_at=opened_at,
        occurred_at=occurred_at,
        policy_version=policy.version,
    )
    _hold_to_rules(row, policy)
    if decided_by is not None:
        hold_to_level(policy, level, decided_by)
    _add(row, verb="contribution.recorded", actor=decided_by)
    return row, True


@transaction.atomic
def level_confirm(
    *, contribution_id: int, level: str, decided_by: Identity, evidence: Evidence, summary: str = ""
) -> Contribution:
    """Set the final level of a change, higher or lower; the new record takes the old one's place.

    Raises:
        Missing: there is no such record.
        Conflict: it was replaced before.
        Refused: it is no change, there is no such level, or nothing that shows it.
        Forbidden: by its author, or by somebody who may not set this level.
    """
    old = _replaceable(contribution_id)
    if old.kind != "change":
        raise Refused(f"only changes have a level; record {old.pk} is a {old.kind}")
    if old.person_id == decided_by.pk:
        raise Forbidden(f"{decided_by.login} did it; the level is set by somebody else")
    policy = policy_in_force()
    hold_to_level(policy, level, decided_by)
    row = _successor(old, policy, decided_by=decided_by, level=level)
    row.evidence = [*old.evidence, *(dict(each) for each in evidence)]
    row.summary = summary or old.summary
    if not evidence:
        raise Refused("a level needs evidence: what shows it, as a run, a submission or an address")
    _hold_to_rules(row, policy)
    _add(row, verb="contribution.confirmed", actor=decided_by)
    return row


@transaction.atomic
def contribution_void(*, contribution_id: int, by: Identity | None, reason: str) -> Contribution:
    """Take a record back: reverted, yanked for cause, or recorded wrongly. Its points go with it.

    Args:
        contribution_id: Of the record in force.
        by: Who; none where the hub does from its own evidence.
        reason: Shown beside the record.

    Raises:
        Missing: there is no such record.
        Conflict: it was replaced before.
        Refused: no reason.
        Forbidden: by its author, or by somebody who is no reviewer.
    """
    old = _replaceable(contribution_id)
    if not reason.strip():
        raise Refused("taking back needs a reason: it is shown beside the record")
    if by is not None:
        if old.person_id == by.pk:
            raise Forbidden(f"{by.login} did it; somebody else takes it back")
        hold_to_role(policy_in_force(), VOIDS, by, "take a record back")
    row = _successor(old, policy_in_force(), decided_by=by, kind="void", level="")
    row.summary, row.about, row.thread, row.opened_at = reason.strip(), None, "", None
    hold_to_columns(row)
    _add(row, verb="contribution.voided", actor=by)
    return row


def hold_to_level(policy: Policy, level: str, decider: Identity) -> None:
    """Raise Forbidden where somebody's role does not let them set a level."""
    if policy.level_rank(level) < 0:
        raise Refused(f"level must be one of {_named(policy)}, got {level!r}")
    needed = policy.level(level).approvals.min_role
    hold_to_role(policy, needed, decider, f"set level {level}")


def hold_to_role(policy: Policy, needed: str, person: Identity, to_do: str) -> str:
    """Return a person's role with rights.

    Raises:
        Forbidden: it is below the one that is needed, or rests.
    """
    held = decision_now(person).rights_role
    if policy.role_rank(held) < policy.role_rank(needed):
        raise Forbidden(
            f"to {to_do} one must be {needed} or above, {person.login} is "
            f"{held or 'without an active role'}; see /roles/"
        )
    return held


def _named(policy: Policy) -> str:
    return ", ".join(level.name for level in policy.levels)


def _hold_to_rules(row: Contribution, policy: Policy) -> None:
    if row.kind not in WORK:
        raise Refused(f"kind must be one of {', '.join(WORK)}, got {row.kind!r}")
    if row.level not in ({level.name for level in policy.levels} if row.kind == "change" else {""}):
        raise Refused(
            f"a change has a level of {_named(policy)}, nothing else has one, got {row.level!r}"
        )
    if (row.kind == "review") != (row.about_id is not None):
        raise Refused("a review says whose change it was (`about`), nothing else does")
    if row.person_id in (row.about_id, row.decided_by_id):
        raise Refused("nobody reviews a change of their own or sets its level")
    named = [set(each) == {"kind", "id"} and all(each.values()) for each in row.evidence]
    if not named or not all(named):
        raise Refused('evidence is a list of {"kind": ..., "id": ...}, at least one of them')
    if row.occurred_at > timezone.now() + dt.timedelta(minutes=5):
        raise Refused(f"it is said to have happened at {row.occurred_at}, which is to come")
    if row.opened_at is not None and row.opened_at > row.occurred_at:
        raise Refused(f"opened at {row.opened_at}, after it happened at {row.occurred_at}")
    hold_to_columns(row)


def _replaceable(contribution_id: int) -> Contribution:
    take_turn(connection, TURN)
    found = Contribution.objects.select_for_update(of=("self",)).filter(pk=contribution_id).first()
    if found is None:
        raise Missing(f"no contribution {contribution_id}; /api/v1/contributions lists them")
    if found.kind == "void" or Contribution.objects.filter(replaces=found).exists():
        raise Conflict(f"contribution {contribution_id} is not in force; a later record is")
    return found


def _successor(old: Contribution, policy: Policy, **values: Any) -> Contribution:
    copied = {
        field.attname: getattr(old, field.attname)
        for field in Contribution._meta.concrete_fields
        if not field.primary_key
    }
    row = Contribution(**copied)
    for name, value in values.items():
        setattr(row, name, value)
    row.replaces, row.source = old, f"instead of {old.pk}"
    row.policy_version, row.recorded_at = policy.version, timezone.now()
    return row


def _add(row: Contribution, *, verb: str, actor: Identity | None) -> None:
    row.save(force_insert=True)
    record(
        actor=actor_of(actor) if actor else HUB,
        verb=verb,
        target=row.source,
        person=actor_of(row.person),
        kind=row.kind,
        level=row.level,
        sha256=digest(row),
    )
    standings_refresh([row.person_id])
    months_refresh(months_touched(row))
