"""What a search answers; nothing here touches the database."""

from __future__ import annotations

import dataclasses

from dougong_registry.boards.rows import OperatorRow

FACETS = ("family", "contract", "verdict", "device", "dtype")
ORDERINGS = ("relevance", "name", "newest", "fastest")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for. Filters add up; an empty one leaves all."""

    q: str = ""
    family: str = ""
    contract: str = ""
    """A contract id (`norm.rms@1`) or its kind (`norm.rms`)."""
    verdict: str = ""
    """An outcome, or `none`: not judged yet."""
    device: str = ""
    dtype: str = ""
    ordering: str = ""
    """One of `ORDERINGS`; by itself relevance with words, names without."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FacetValue:
    """One value of a facet, and how many operators match with it and the other filters."""

    value: str
    count: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of what matches."""

    results: tuple[OperatorRow, ...]
    total: int
    facets: dict[str, tuple[FacetValue, ...]]
    corrected: str
    """What was looked for instead, where the words as typed occur nowhere; else empty."""
    next: str
    """Cursor of the page after this one; empty at the end."""
    previous: str
