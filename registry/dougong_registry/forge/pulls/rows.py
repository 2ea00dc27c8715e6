"""The typed rows of pull requests for pages and the API; nothing here touches the database."""

from __future__ import annotations

import dataclasses
import datetime as dt


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PullRow:
    """A pull request, and where its head in force stands."""

    number: int
    state: str
    """`open`, `merged` or `closed`, on the forge."""
    author_id: int
    """The forge's numeric id; the login is display text."""
    author: str
    plugin: str
    level: str
    head_sha: str
    head_state: str
    """One of the states of docs/forge.md; empty before a head was seen."""
    reason: str
    """Why it stopped; empty where it did not."""
    held_reason: str
    opened_at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PullHeadRow:
    """One commit that was asked to be merged."""

    sha: str
    state: str
    reason: str
    round: int
    created_at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PullFinding:
    """What a check says of a line."""

    path: str
    line: int
    title: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PullStepRow:
    """One step of the way in, also where it is still to come."""

    name: str
    outcome: str
    """`passed`, `running`, `blocked`, `failed`, `errored`, `cancelled`; `skipped` where it was not
    needed, `waiting` where it is to come."""
    title: str
    findings: tuple[PullFinding, ...]
    finished_at: dt.datetime | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PullSpeedRow:
    """A speed-up with its interval."""

    dtype: str
    mode: str
    speedup: float
    ci_low: float
    ci_high: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PullVerdictRow:
    """What the judge found of one operator."""

    operator: str
    outcome: str
    code: str
    summary: str
    hardware_class: str
    run_id: str
    speeds: tuple[PullSpeedRow, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PullReviewRow:
    """What somebody last said of this commit."""

    reviewer_id: int
    reviewer: str
    said: str
    """`approved`, `changes_requested` or `dismissed`."""
    counts: bool
    """Whether it is one of the approvals that the level asks for."""
    at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PullEventRow:
    """One thing that was done."""

    kind: str
    actor_id: int | None
    actor: str
    """Empty where the hub did it."""
    words: str
    at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PullDetail:
    """A pull request, and one of its heads: where it stands, why, and who must still approve."""

    pull: PullRow
    heads: tuple[PullHeadRow, ...]
    """Newest first."""
    head: PullHeadRow | None
    """The one that all below is of."""
    steps: tuple[PullStepRow, ...]
    unblock: tuple[str, ...]
    """Why a reviewer had to look before it was built."""
    reviews: tuple[PullReviewRow, ...]
    approvals_needed: int
    approvals_missing: tuple[str, ...]
    """What is still asked for, in words; empty where it is met, and where it is not asked yet."""
    verdicts: tuple[PullVerdictRow, ...]
    submission_id: int | None
    distribution: str
    """Name of the plugin that was judged; empty before. Its folder may be called less."""
    version: str
    """Of the release that was judged; empty before."""
    published: bool
    author_here: str
    """The login under which the author has a page on this hub; empty where there is none."""
    forge_url: str
    """The pull request on the forge; empty where the hub serves none."""
    events: tuple[PullEventRow, ...]
    """Newest first."""
