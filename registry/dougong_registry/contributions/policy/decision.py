"""What a role decision is: the role, why, and what is missing for the next."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """One thing that a role asks for and that is not there yet."""

    what: str
    has: float
    needs: float

    def __str__(self) -> str:
        return f"{self.what}: {self.has:g} of {self.needs:g}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Where a person stands at one moment under one policy."""

    role: str
    """Empty while there is none. An emeritus keeps the name and has no right of it."""
    standing: str
    """`active`, `warned` or `emeritus`; empty of a role that is no grant."""
    eligible_for: str
    """A role that may be granted now; empty where none. Nothing is granted by this alone."""
    next_role: str
    """What `missing` is about; empty at the top."""
    points: float
    reasons: tuple[str, ...]
    missing: tuple[Missing, ...]
    policy_version: str

    @property
    def rights_role(self) -> str:
        """The role whose rights are in force: none of an emeritus."""
        return "" if self.standing == "emeritus" else self.role
