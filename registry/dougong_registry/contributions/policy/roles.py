"""Who may do what: `decide`, a pure function of policy, events and the time."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence

from dougong_registry.contributions.policy.decision import Decision, Missing
from dougong_registry.contributions.policy.events import ACTS, WORK, Event, in_force
from dougong_registry.contributions.policy.rules import MONTH, Policy, Role
from dougong_registry.contributions.policy.tally import Tally, missing_for, tally_of


@dataclasses.dataclass(slots=True)
class _Held:
    """A granted role, on the way through time."""

    role: str
    granted: Event
    last: dt.datetime
    """When the person last did something."""
    lapsed: dt.datetime | None = None
    """When it came to rest."""


def decide(policy: Policy, events: Iterable[Event], now: dt.datetime) -> Decision:
    """Say where one person stands, and what is missing for the next role.

    More evidence never lowers a role, nothing counts that a person says of themselves, and the
    order of the events is of no matter. A count makes eligible; only a `grant` gives.

    Args:
        policy: The rules.
        events: Everything about one person.
        now: Later events do not count.
    """
    counted = in_force(tuple(events), now)
    tally = tally_of(policy, counted, now)
    held = _held(policy, counted, now)
    if held is None:
        fact = _fact(policy, tally, counted, now)
        reasons = [_done(policy, tally)] if tally.points else ["nothing that counts yet"]
        return _decision(policy, tally, counted, now, fact, "", reasons)
    grant = held.granted
    reasons = [
        f"{held.role} by a decision of {grant.by or 'the hub'} on {grant.at:%Y-%m-%d}",
        _done(policy, tally),
        _rest(policy, held),
    ]
    if held.lapsed is None:
        warned = now - held.last >= policy.warn_months * MONTH
        standing = "warned" if warned else "active"
        return _decision(policy, tally, counted, now, held.role, standing, reasons)
    return Decision(
        role=held.role,
        standing="emeritus",
        eligible_for="",
        next_role=held.role,
        points=tally.points,
        reasons=tuple(reasons),
        missing=(Missing(what=f"decision of a {policy.restored_by} to restore", has=0, needs=1),),
        policy_version=policy.version,
    )


def _decision(
    policy: Policy,
    tally: Tally,
    counted: Sequence[Event],
    now: dt.datetime,
    role: str,
    standing: str,
    reasons: list[str],
) -> Decision:
    following = next(iter(policy.roles[policy.role_rank(role) + 1 :]), None)
    missing = missing_for(policy, following, tally, counted, now) if following else ()
    eligible = following.name if following and following.granted and not missing else ""
    if eligible and following:
        reasons.append(f"eligible for {eligible}, which a {following.granted_by} may grant")
    return Decision(
        role=role,
        standing=standing,
        eligible_for=eligible,
        next_role=following.name if following else "",
        points=tally.points,
        reasons=tuple(reasons),
        missing=missing,
        policy_version=policy.version,
    )


def _fact(policy: Policy, tally: Tally, counted: Sequence[Event], now: dt.datetime) -> str:
    """Return the highest role that is no grant and whose evidence is there."""
    facts: list[Role] = []
    for role in policy.roles:
        if role.granted or missing_for(policy, role, tally, counted, now):
            break
        facts.append(role)
    return facts[-1].name if facts else ""


def _held(policy: Policy, counted: Sequence[Event], now: dt.datetime) -> _Held | None:
    """Follow what was granted through time; nothing where it was ended or rested too long."""
    held: _Held | None = None
    for event in counted:
        if held is not None:
            _rests(policy, held, event.at)
        if event.kind in ACTS:
            held = _acted(policy, held, event)
        elif event.kind in WORK and held is not None and held.lapsed is None:
            held.last = event.at
    if held is not None:
        _rests(policy, held, now)
        if held.lapsed is not None and now > held.lapsed + policy.restore_months * MONTH:
            return None
    return held


def _rests(policy: Policy, held: _Held, at: dt.datetime) -> None:
    end = held.last + policy.emeritus_months * MONTH
    if held.lapsed is None and at >= end:
        held.lapsed = end


def _acted(policy: Policy, held: _Held | None, event: Event) -> _Held | None:
    if event.kind == "end":
        return None
    if event.kind == "restore":
        if held is not None and (
            held.lapsed is None or event.at <= held.lapsed + policy.restore_months * MONTH
        ):
            held.lapsed, held.last = None, event.at
        return held
    rank = policy.role_rank(event.role)
    if rank < 0 or not policy.roles[rank].granted:
        return held
    if held is not None and held.lapsed is None and policy.role_rank(held.role) >= rank:
        held.last = event.at
        return held
    return _Held(role=event.role, granted=event, last=event.at)


def _rest(policy: Policy, held: _Held) -> str:
    if held.lapsed is not None:
        until = held.lapsed + policy.restore_months * MONTH
        return (
            f"emeritus since {held.lapsed:%Y-%m-%d}, {policy.emeritus_months:g} months after the "
            f"last contribution; a {policy.restored_by} may restore it until {until:%Y-%m-%d}"
        )
    rests = held.last + policy.emeritus_months * MONTH
    return f"last active {held.last:%Y-%m-%d}; rests from {rests:%Y-%m-%d} unless there is more"


def _done(policy: Policy, tally: Tally) -> str:
    parts = [
        f"{tally.changes[level.name]} of {level.name}"
        for level in policy.levels
        if tally.changes.get(level.name)
    ]
    parts += [
        f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in sorted(tally.work.items())
    ]
    text = f"{tally.points:g} points: {', '.join(parts) or 'nothing yet'}"
    if tally.unconfirmed:
        text += f" ({tally.unconfirmed} changes await a reviewer's level)"
    return text
