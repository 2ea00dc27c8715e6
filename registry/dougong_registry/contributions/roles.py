"""Deciding about roles: sponsoring, granting, ending, restoring; each with its audit entry."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction

from dougong_registry.audit.services import HUB, actor_of, record
from dougong_registry.columns import hold_to_columns
from dougong_registry.contributions.digests import digest
from dougong_registry.contributions.models import Affiliation, Contribution, RoleAct, Sponsorship
from dougong_registry.contributions.policy import Decision, policy_in_force
from dougong_registry.contributions.services import hold_to_role
from dougong_registry.contributions.standings import TURN, decision_now, standings_refresh
from dougong_registry.people.models import Identity
from dougong_registry.problem import Conflict, Forbidden, Refused
from dougong_registry.turns import take_turn


@transaction.atomic
def role_grant(*, person: Identity, role: str, by: Identity, reason: str) -> RoleAct:
    """Give a role to somebody whose evidence makes them eligible for it.

    Raises:
        Forbidden: to oneself, or by somebody who may not give it.
        Refused: no such role is granted, or no reason.
        Conflict: the person is not eligible; says what is missing.
    """
    _begin(person, by, reason)
    policy = policy_in_force()
    wanted = next((each for each in policy.roles if each.name == role and each.granted), None)
    if wanted is None:
        names = ", ".join(each.name for each in policy.roles if each.granted)
        raise Refused(f"roles that are granted are {names}, got {role!r}")
    hold_to_role(policy, wanted.granted_by, by, f"make somebody a {role}")
    decision = decision_now(person)
    if decision.eligible_for != role:
        raise Conflict(f"{person.login} is not eligible for {role}: {_lacking(decision)}")
    return _act(person, "grant", role, by, reason, _evidence(person, role))


@transaction.atomic
def role_restore(*, person: Identity, by: Identity, reason: str) -> RoleAct:
    """Bring an emeritus back to the role that rests.

    Raises:
        Forbidden: by oneself, or by somebody who may not.
        Conflict: the person is no emeritus, or has been for too long.
        Refused: no reason.
    """
    _begin(person, by, reason)
    policy = policy_in_force()
    hold_to_role(policy, policy.restored_by, by, "restore a role")
    decision = decision_now(person)
    if decision.standing != "emeritus":
        raise Conflict(f"{person.login} has no role that rests and can be restored")
    return _act(person, "restore", decision.role, by, reason, [])


@transaction.atomic
def role_end(*, person: Identity, by: Identity, reason: str) -> RoleAct:
    """End a role: somebody steps down, or must.

    Raises:
        Forbidden: of oneself, or by somebody who may not.
        Conflict: the person holds none that was granted.
        Refused: no reason.
    """
    _begin(person, by, reason)
    policy = policy_in_force()
    decision = decision_now(person)
    if not decision.standing:
        raise Conflict(f"{person.login} holds no role that was granted")
    hold_to_role(policy, policy.role(decision.role).granted_by, by, f"end a {decision.role}'s role")
    return _act(person, "end", decision.role, by, reason, [])


@transaction.atomic
def role_found(*, person: Identity, reason: str) -> RoleAct:
    """Name the first maintainer; for whoever runs the hub, while there is none.

    Raises:
        Conflict: there is a maintainer who can decide.
        Refused: no reason.
    """
    _begin(person, None, reason)
    top = policy_in_force().roles[-1].name
    granted = RoleAct.objects.filter(role=top, act="grant").values("person")
    for held in Identity.objects.filter(pk__in=granted).order_by("pk"):
        if decision_now(held).rights_role == top:
            raise Conflict(f"{held.login} is {top}: roles are granted by them now")
    return _act(person, "grant", top, None, reason, [])


@transaction.atomic
def sponsor_add(*, person: Identity, sponsor: Identity, role: str, reason: str) -> Sponsorship:
    """Vouch for somebody's next role. The same again changes nothing.

    Raises:
        Forbidden: of oneself, or by somebody whose role is too low.
        Refused: the role has no sponsors, or no reason.
    """
    _begin(person, sponsor, reason)
    policy = policy_in_force()
    wanted = next((each for each in policy.roles if each.name == role), None)
    if wanted is None or not wanted.sponsors.count:
        names = ", ".join(each.name for each in policy.roles if each.sponsors.count)
        raise Refused(f"roles that have sponsors are {names}, got {role!r}")
    held = hold_to_role(policy, wanted.sponsors.min_role, sponsor, f"sponsor a {role}")
    known = Sponsorship.objects.filter(person=person, sponsor=sponsor, role=role).first()
    if known is not None:
        return known
    newest = Affiliation.objects.filter(person=sponsor).order_by("-since", "-pk").first()
    row = Sponsorship(
        person=person,
        sponsor=sponsor,
        role=role,
        sponsor_role=held,
        affiliation=newest.name if newest else "",
        reason=reason.strip(),
    )
    _seal(row, "role.sponsored", sponsor, person, role=role)
    standings_refresh([person.pk])
    return row


@transaction.atomic
def affiliation_state(*, person: Identity, name: str) -> Affiliation:
    """Say whom a person works for from now on.

    Raises:
        Refused: no name.
    """
    row = Affiliation(person=person, name=" ".join(name.split()))
    if not row.name:
        raise Refused("an affiliation has a name; `independent` is one")
    _seal(row, "affiliation.stated", person, person, name=row.name)
    return row


def _begin(person: Identity, by: Identity | None, reason: str) -> None:
    take_turn(connection, TURN)
    if by is not None and by.pk == person.pk:
        raise Forbidden(f"{person.login} cannot decide about their own role; somebody else does")
    if not reason.strip():
        raise Refused("a decision about a role needs a reason: it is shown to whoever asks why")


def _lacking(decision: Decision) -> str:
    return "; ".join(map(str, decision.missing)) or f"the next role is {decision.next_role}"


def _evidence(person: Identity, role: str) -> list[dict[str, Any]]:
    works = Contribution.in_force().filter(person=person).order_by("pk")
    vouched = Sponsorship.objects.filter(person=person, role=role).order_by("pk")
    return [
        {"kind": "contributions", "ids": list(works.values_list("pk", flat=True))},
        {"kind": "sponsorships", "ids": list(vouched.values_list("pk", flat=True))},
    ]


def _act(
    person: Identity, act: str, role: str, by: Identity | None, reason: str, evidence: list[Any]
) -> RoleAct:
    policy = policy_in_force()
    row = RoleAct(
        person=person,
        act=act,
        role=role,
        by=by,
        reason=reason.strip(),
        evidence=evidence,
        policy_version=policy.version,
        policy_sha256=policy.sha256,
    )
    _seal(row, f"role.{act}", by, person, role=role, reason=row.reason, policy=policy.version)
    standings_refresh([person.pk])
    return row


def _seal(
    row: RoleAct | Sponsorship | Affiliation,
    verb: str,
    actor: Identity | None,
    person: Identity,
    **said: str,
) -> None:
    hold_to_columns(row)
    row.save(force_insert=True)
    record(
        actor=actor_of(actor) if actor else HUB,
        verb=verb,
        target=actor_of(person),
        sha256=digest(row),
        **said,
    )
