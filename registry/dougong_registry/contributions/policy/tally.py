"""Evidence counted: changes by level, reviews, points, months, sponsors."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence

from dougong_registry.contributions.policy.decision import Missing
from dougong_registry.contributions.policy.events import WORK, Event
from dougong_registry.contributions.policy.rules import MONTH, Policy, Role


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What somebody has done that counts."""

    changes: Mapping[str, int]
    """By the level that they count as."""
    unconfirmed: int
    """Changes among them whose level nobody set; no more than the policy lets count."""
    work: Mapping[str, int]
    """`review`, `triage` and `report`."""
    points: float
    months: float
    """Since the first of all this."""


def tally_of(policy: Policy, events: Sequence[Event], now: dt.datetime) -> Tally:
    """Count what is in force; see `events.in_force`."""
    changes = [event for event in events if event.kind == "change"]
    confirmed = Counter(event.level for event in changes if event.by)
    unconfirmed = min(sum(not event.by for event in changes), policy.unconfirmed_most)
    if unconfirmed:
        confirmed[policy.unconfirmed_as] += unconfirmed
    work = Counter(event.kind for event in events if event.kind in policy.points)
    first = min((event.at for event in events if event.kind in WORK), default=now)
    return Tally(
        changes=confirmed,
        unconfirmed=unconfirmed,
        work=work,
        points=_points(policy, confirmed, work),
        months=(now - first) / MONTH,
    )


def _points(policy: Policy, changes: Mapping[str, int], work: Mapping[str, int]) -> float:
    done = {level.name: level.points for level in policy.levels}
    others = sum(done.get(name, 0.0) * count for name, count in changes.items())
    others += sum(policy.points[kind] * work.get(kind, 0) for kind in ("triage", "report"))
    # A share s of the whole is s / (1 - s) of the rest.
    most = others * policy.review_share / (1 - policy.review_share)
    return others + min(policy.points["review"] * work.get("review", 0), most)


def missing_for(
    policy: Policy, role: Role, tally: Tally, events: Sequence[Event], now: dt.datetime
) -> tuple[Missing, ...]:
    """Return what a role asks for and is not there."""
    asked = [(what, _has(policy, tally, what), needs) for what, needs in role.evidence.items()]
    if role.months:
        asked.append(("months since the first contribution", tally.months, role.months))
    asked += _sponsoring(policy, role, events, now)
    return tuple(
        Missing(what=_NAMES.get(what, what), has=_floored(has), needs=needs)
        for what, has, needs in asked
        if has < needs
    )


_NAMES = {
    "L1": "changes of L1 or above",
    "L2": "changes of L2 or above",
    "L3": "changes of L3",
}


def _floored(value: float) -> float:
    """Round down, so that what is nearly there never reads as there."""
    return int(value * 100) / 100


def _has(policy: Policy, tally: Tally, what: str) -> float:
    if what == "points":
        return tally.points
    if what == "contributions":
        return float(sum(tally.changes.values()) + sum(tally.work.values()))
    if what == "reviews":
        return float(tally.work.get("review", 0))
    least = policy.level_rank(what)
    return float(
        sum(count for name, count in tally.changes.items() if policy.level_rank(name) >= least)
    )


def _sponsoring(
    policy: Policy, role: Role, events: Sequence[Event], now: dt.datetime
) -> list[tuple[str, float, float]]:
    wanted = role.sponsors
    if not wanted.count:
        return []
    least = policy.role_rank(wanted.min_role)
    found = [
        event
        for event in events
        if event.kind == "sponsorship"
        and event.role == role.name
        and policy.role_rank(event.by_role) >= least
    ]
    names = {event.affiliation for event in found} - {""}
    stood = (now - min((event.at for event in found), default=now)) / dt.timedelta(days=1)
    asked = [
        (f"sponsors, each a {wanted.min_role} or above", len({e.by for e in found}), wanted.count),
        ("affiliations among the sponsors", len(names), wanted.affiliations),
        ("days since the first sponsor spoke", stood, wanted.open_days),
    ]
    return [(what, float(has), float(needs)) for what, has, needs in asked if needs]
