"""Who may review and command, by the forge's numeric id."""

from __future__ import annotations

import dataclasses
import tomllib
from typing import Any

from dougong_registry.forge.config import configured
from dougong_registry.problem import Unavailable

ROLES = ("reviewer", "maintainer")
"""From the least to the most."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who has a role."""

    id: int
    role: str
    affiliation: str = ""

    def at_least(self, role: str) -> bool:
        """Whether the role is this one or above it."""
        return ROLES.index(self.role) >= ROLES.index(role)


def people() -> dict[int, Person]:
    """Return everybody with a role, by id; nobody where the hub was told of nobody.

    Raises:
        Unavailable: the file cannot be read, or holds what is no role or number.
    """
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
    for person in found.values():
        if person.role not in ROLES:
            raise Unavailable(
                f"DOUGONG_FORGE_PEOPLE: a role is one of {', '.join(ROLES)}, got {person.role!r}"
            )
    return found
