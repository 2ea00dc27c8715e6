"""What a hub answers, as records; a newer hub may send more than they hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True)
class SubmittedOperator:
    """One operator of a submission; the outcome is empty while it is being judged."""

    name: str
    outcome: str = ""
    code: str = ""
    run_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Submission:
    """A wheel on its way through the judge."""

    id: str
    state: str
    """`queued`, `judging`, `judged` or `failed`."""
    sha256: str = ""
    url: str = ""
    distribution: str = ""
    version: str = ""
    error: str = ""
    operators: tuple[SubmittedOperator, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("judged", "failed")


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One step of a judgement, as it happened."""

    seq: int
    kind: str
    operator: str = ""
    gate: str = ""
    outcome: str = ""
    code: str = ""
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class HubOperator:
    """One operator as the hub lists it, by its newest release."""

    name: str
    family: str = ""
    contract: str = ""
    summary: str = ""
    distribution: str = ""
    version: str = ""
    outcome: str = ""
    best_speedup: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class FacetValue:
    """One value that a search can be narrowed to, and how many operators match then."""

    value: str
    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """The first operators that match a search, and what else could be asked."""

    operators: tuple[HubOperator, ...]
    total: int
    """How many match in all."""
    facets: Mapping[str, tuple[FacetValue, ...]]
    """By `family`, `contract`, `verdict`, `device` and `dtype`."""
    corrected: str = ""
    """What was looked for instead, where the words as typed occur nowhere."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin in a list."""

    name: str
    summary: str = ""
    owner: str = ""
    status: str = ""
    """`active`, `archived`, `deprecated` or `quarantined`."""
    releases: int = 0
    latest: str = ""
    """The version that was published last and is not yanked."""


@dataclasses.dataclass(frozen=True, slots=True)
class Release:
    """One sealed version of the plugin that holds an operator."""

    version: str
    sha256: str
    yanked_reason: str = ""
    published_at: str = ""
    """ISO 8601; empty while it is not on offer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Detail:
    """One operator with its releases and runs, newest first."""

    operator: HubOperator
    releases: tuple[Release, ...]
    run_ids: tuple[str, ...]
    """Of every release; a verdict says which version it is about."""


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """How fast one run found an operator in one dtype and mode."""

    dtype: str
    mode: str
    speedup: float
    ci_low: float
    ci_high: float
    decision: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One run in a list; `Hub.verdict` has all of it."""

    id: str
    operator: str
    distribution: str = ""
    version: str = ""
    contract: str = ""
    hardware_class: str = ""
    outcome: str = ""
    code: str = ""
    official: bool = False
    current: bool = False
    """No later run has taken its place."""
    recorded_at: str = ""
    """ISO 8601."""
    scores: tuple[Score, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class BoardSummary:
    """One board in a list: how many it ranks, and who leads."""

    contract: str
    hardware_class: str
    dtype: str
    mode: str
    entries: int = 0
    leader: str = ""
    leader_speedup: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class BoardRow:
    """One ranked operator."""

    rank: int
    operator: str
    distribution: str
    version: str
    speedup: float
    ci_low: float
    ci_high: float


@dataclasses.dataclass(frozen=True, slots=True)
class Unranked:
    """One judged operator that is not ranked, and why."""

    operator: str
    version: str
    code: str
    reason: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Board:
    """One board: who is how fast, in one dtype and mode on one class of hardware."""

    contract: str
    hardware_class: str
    dtype: str
    mode: str
    rows: tuple[BoardRow, ...] = ()
    unranked: tuple[Unranked, ...] = ()
