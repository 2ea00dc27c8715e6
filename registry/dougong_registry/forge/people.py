"""Who may review and command: by the roles that the hub recorded, and a file for the first ones."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from dougong_registry.contributions.models import Affiliation, RoleAct
from dougong_registry.contributions.policy import policy_in_force
from dougong_registry.contributions.standings import decision_now
from dougong_registry.forge.config import configured
from dougong_registry.people.models import Identity
from dougong_registry.people.services import identity_ensure
from dougong_registry.problem import Unavailable

PROVIDER = "github"
APPROVE, RERUN = "approve", "rerun checks"
"""Rights, as the policy of roles names them."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who has a role."""

    id: int
    role: str
    affiliation: str = ""

    def at_least(self, role: str) -> bool:
        """Whether the role is this one or above it."""
        policy = policy_in_force()
        return policy.role_rank(self.role) >= policy.role_rank(role)

    def may(self, right: str) -> bool:
        """Whether the policy in force gives the role this right."""
        return right in policy_in_force().role(self.role).rights


def people_of(ids: Iterable[int]) -> Mapping[int, Person]:
    """Return those of these people who have a role, by the forge's id.

    Of whom the hub ever recorded a decision, the record says what they are: a role that ended or
    rests is none, whatever the file says. The file speaks for everybody else.

    Raises:
        Unavailable: the file cannot be read, or holds what is no granted role or number.
    """
    wanted = set(ids)
    named = _named()
    found = {person_id: named[person_id] for person_id in wanted & named.keys()}
    for identity in _decided(wanted):
        person_id = int(identity.external_id)
        in_file = found.pop(person_id, None)
        if role := decision_now(identity).rights_role:
            affiliation = _affiliation(identity) or (in_file.affiliation if in_file else "")
            found[person_id] = Person(id=person_id, role=role, affiliation=affiliation)
    return found


def person_of(person_id: int) -> Person | None:
    """Return somebody who has a role; None where the person has none."""
    return people_of([person_id]).get(person_id)


def identity_of(forge_id: int, login: str) -> Identity:
    """Return who somebody is on the hub: known by the forge's id, shown by the login."""
    plain = re.sub(r"[^A-Za-z0-9-]+", "-", login).strip("-") or "ghost"
    return identity_ensure(login=plain, provider=PROVIDER, external_id=str(forge_id))


def _decided(ids: set[int]) -> Iterable[Identity]:
    acts = RoleAct.objects.filter(
        person__provider=PROVIDER, person__external_id__in=[str(each) for each in ids]
    )
    return Identity.objects.filter(pk__in=acts.values("person")).order_by("pk")


def _affiliation(identity: Identity) -> str:
    newest = Affiliation.objects.filter(person=identity).order_by("-since", "-pk").first()
    return newest.name if newest else ""


def _named() -> dict[int, Person]:
    config = configured()
    if config is None or config.people is None:
        return {}
    try:
        rows: list[dict[str, Any]] = tomllib.loads(config.people.read_text("utf-8")).get(
            "person", []
        )
        found = {
            int(row["id"]): Person(
                id=int(row["id"]), role=row["role"], affiliation=str(row.get("affiliation", ""))
            )
            for row in rows
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(f"DOUGONG_FORGE_PEOPLE cannot be read: {error!r}") from error
    granted = [role.name for role in policy_in_force().roles if role.granted]
    for person in found.values():
        if person.role not in granted:
            raise Unavailable(
                f"DOUGONG_FORGE_PEOPLE: a role is one of {', '.join(granted)}, got {person.role!r}"
            )
    return found
