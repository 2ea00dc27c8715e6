"""The typed rows of contributions, roles and the community; nothing here touches the database."""

from __future__ import annotations

import dataclasses
import datetime as dt


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRow:
    """Where something can be looked up."""

    kind: str
    """`run`, `submission`, `url`, or whatever a reporter named."""
    id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ContributionRow:
    """One record of the ledger."""

    id: int
    person: str
    provider: str
    kind: str
    level: str
    decided_by: str
    """Who set the level; empty while it is suggested only."""
    about: str
    """Of a review: whose change it was."""
    plugin: str
    summary: str
    evidence: tuple[EvidenceRow, ...]
    data_only: bool
    occurred_at: dt.datetime
    recorded_at: dt.datetime
    policy_version: str
    replaces: int | None
    replaced_by: int | None
    """The record that took its place; it counts while there is none."""
    taken_back: str
    """Why it was; empty where it was not."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MissingRow:
    """One thing that the next role asks for and that is not there yet."""

    what: str
    has: float
    needs: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StandingRow:
    """Where somebody stands, why, and what is missing for the next role."""

    role: str
    standing: str
    eligible_for: str
    next_role: str
    points: float
    contributions: int
    reasons: tuple[str, ...]
    missing: tuple[MissingRow, ...]
    policy_version: str
    decided_at: dt.datetime | None
    """Empty of somebody of whom nothing is recorded."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RoleActRow:
    """One decision about a role."""

    at: dt.datetime
    act: str
    role: str
    by: str
    """Empty where whoever runs the hub named the first maintainer."""
    reason: str
    policy_version: str
    policy_sha256: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SponsorRow:
    """Somebody who vouches."""

    sponsor: str
    sponsor_role: str
    affiliation: str
    role: str
    reason: str
    at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PersonRecord:
    """What a person did and what others decided."""

    standing: StandingRow
    contributions: tuple[ContributionRow, ...]
    """Newest first; each with the level that it has now."""
    acts: tuple[RoleActRow, ...]
    sponsors: tuple[SponsorRow, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MonthRow:
    """What the community did in one month."""

    month: dt.date
    changes: int
    reviews: int
    triages: int
    reports: int
    people_new: int
    people_returning: int
    absence_factor: int
    responses: int
    response_median_s: float | None
    reviewed: int
    review_median_s: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CommunityPage:
    """How a community does."""

    months: tuple[MonthRow, ...]
    """The newest, oldest first, without gaps."""
    contributions: int
    """Of all months."""
    roles: tuple[tuple[str, int, int], ...]
    """Role, people who hold it, people in whom it rests; highest first."""
    recent: tuple[ContributionRow, ...]
