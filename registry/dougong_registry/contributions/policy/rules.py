"""A policy as typed values: what levels are worth and what roles ask for."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping

MONTH = dt.timedelta(days=365.25 / 12)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One way in which an operator is better than it was."""

    metric: str
    op: str
    """`>=` or `<=`."""
    value: float
    means: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Who must have agreed to a change of a level."""

    count: int
    min_role: str
    affiliations: int = 0
    open_days: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What a change of one level is, and what must hold of it."""

    name: str
    means: str
    points: float
    must: tuple[str, ...]
    touches: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    approvals: Approvals


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sponsors:
    """Who must vouch for a person: how many, of which role, from how many affiliations."""

    count: int = 0
    min_role: str = ""
    affiliations: int = 0
    open_days: int = 0
    """How long the first of them must have stood, so that others can speak."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What one role means and asks for."""

    name: str
    means: str
    granted: bool = True
    """Whether it takes a recorded decision; else it is the name of a fact."""
    rights: tuple[str, ...] = ()
    evidence: Mapping[str, float]
    """`contributions`, `points`, `reviews`, or a level, which counts changes of it and above."""
    months: float = 0
    """Since the first thing that counts."""
    sponsors: Sponsors = Sponsors()
    granted_by: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One version of the rules; pure data, the same for everybody."""

    version: str
    sha256: str
    """Of the bytes of both files, levels first: `cat levels-V.toml roles-V.toml | sha256sum`."""
    levels: tuple[Level, ...]
    """Lowest first."""
    roles: tuple[Role, ...]
    """Lowest first."""
    points: Mapping[str, float]
    """Of one `review`, `triage` and `report`."""
    review_share: float
    unconfirmed_as: str
    unconfirmed_most: int
    data_only_paths: tuple[str, ...]
    warn_months: float
    emeritus_months: float
    restore_months: float
    restored_by: str

    def level(self, name: str) -> Level:
        """Return a level by its name; KeyError where there is none."""
        return {level.name: level for level in self.levels}[name]

    def role(self, name: str) -> Role:
        """Return a role by its name; KeyError where there is none."""
        return {role.name: role for role in self.roles}[name]

    def level_rank(self, name: str) -> int:
        """Return where a level stands, from 0; -1 of no level."""
        return next((i for i, level in enumerate(self.levels) if level.name == name), -1)

    def role_rank(self, name: str) -> int:
        """Return where a role stands, from 0; -1 of no role."""
        return next((i for i, role in enumerate(self.roles) if role.name == name), -1)
