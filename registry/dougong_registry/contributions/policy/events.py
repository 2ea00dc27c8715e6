"""What happened, as the policy sees it: no database, no order, nothing but facts."""

from __future__ import annotations

import dataclasses
import datetime as dt

WORK = ("change", "review", "triage", "report")
ACTS = ("grant", "restore", "end")
KINDS = (*WORK, "sponsorship", *ACTS, "void")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Event:
    """One fact about one person."""

    at: dt.datetime
    id: str
    """Unique: the same event twice is one."""
    kind: str
    """One of `KINDS`."""
    person: str
    """Whose evidence it is."""
    by: str = ""
    """Who set the level, sponsored, granted or ended; empty where nobody has to."""
    about: str = ""
    """Of a review: whose change it was."""
    level: str = ""
    """Of a change: the final level, or the one suggested while `by` is empty."""
    role: str = ""
    """Of a sponsorship and a grant."""
    by_role: str = ""
    """Of a sponsorship: what the sponsor was then."""
    affiliation: str = ""
    """Of a sponsorship: the sponsor's, then."""
    data_only: bool = False
    """Of a change: it touched nothing but policy."""
    voids: str = ""
    """The id of the event that this one takes the place of."""


def in_force(events: tuple[Event, ...], now: dt.datetime) -> list[Event]:
    """Return what counts at `now`, in order of time: nothing later, voided or about oneself."""
    known = {event.id: event for event in sorted(events, reverse=True) if event.at <= now}
    honest = [event for event in known.values() if event.person not in (event.by, event.about)]
    voided = {event.voids for event in honest}
    return sorted(
        event
        for event in honest
        if event.id not in voided and event.kind != "void" and not event.data_only
    )
