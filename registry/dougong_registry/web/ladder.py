"""The way of a person from role to role: where they stand, and what each further one takes."""

from __future__ import annotations

import dataclasses

from dougong_registry.boards.contribution_rows import StandingRow
from dougong_registry.contributions.policy import policy_in_force
from dougong_registry.contributions.policy.rules import Role


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One role on the way."""

    role: str
    state: str
    """`done`, `active`, `held` where it rests, or `waiting`; as the stages of a submission."""
    note: str
    """What the role takes, or that it is held."""


def ladder(standing: StandingRow) -> tuple[Rung, ...]:
    """Return every role of the policy in force, the lowest first."""
    roles = policy_in_force().roles
    names = [role.name for role in roles]
    at = names.index(standing.role) if standing.role in names else -1
    return tuple(
        Rung(role=role.name, state=_state(number, at, standing), note=_note(role, number, at))
        for number, role in enumerate(roles)
    )


def headline(standing: StandingRow) -> str:
    """Say in one sentence why somebody is not yet at the next role."""
    role = standing.role.capitalize() or "No role yet"
    missing = "; ".join(f"{each.what} {each.has:g} of {each.needs:g}" for each in standing.missing)
    if standing.standing == "emeritus":
        again = "; ".join(each.what for each in standing.missing)
        return f"{role}, at rest. To be one again it takes: {again}."
    if missing and not standing.role:
        return f"{role}. What {standing.next_role} takes: {missing}."
    if missing:
        return f"{role}, not yet {standing.next_role}: {missing}."
    if standing.eligible_for:
        return f"{role}, eligible for {standing.eligible_for}: waits for somebody's decision."
    return f"{role}: there is no role above."


def takes(role: Role) -> str:
    """Say what a role takes, in a few words."""
    asked = [f"{needs:g} {_what(what, needs)}" for what, needs in role.evidence.items()]
    if role.months:
        asked.append(_count(role.months, "month"))
    if role.sponsors.count:
        asked.append(_count(role.sponsors.count, "sponsor"))
    return ", ".join(asked)


def _state(number: int, at: int, standing: StandingRow) -> str:
    if number < at:
        return "done"
    if number > at:
        return "waiting"
    return "held" if standing.standing == "emeritus" else "active"


def _note(role: Role, number: int, at: int) -> str:
    if number == at:
        return "here"
    return "" if number < at else takes(role)


def _what(what: str, needs: float) -> str:
    if what.startswith("L"):
        return f"changes of {what} or above"
    return what.removesuffix("s") if needs == 1 else what


def _count(number: float, word: str) -> str:
    return f"{number:g} {word}{'' if number == 1 else 's'}"
