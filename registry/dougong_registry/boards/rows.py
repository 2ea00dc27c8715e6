"""The typed rows that pages and the API render; nothing here touches the database."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from dougong_ci.report.verdict import AccuracyRow, Histogram, QualityRow, SpeedCase
from dougong_ci.report.verdict import ParetoPoint as LengthPoint
from dougong_registry.boards.upkeep_rows import NoticeRow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BoardSummary:
    """One board of the list: how many are on it and who leads."""

    contract: str
    suite: str
    hardware_class: str
    dtype: str
    mode: str
    entries: int
    leader: str
    leader_run_id: str
    leader_speedup: float
    leader_ci_low: float
    leader_ci_high: float
    leader_confirmed: bool
    """A second run agreed with the first of the release that leads."""
    retired: bool
    """Its suite gives no rank any more; the board stays as it was."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RankedRow:
    """One ranked operator. Rows whose intervals overlap share a rank."""

    rank: int
    operator: str
    variant: str
    summary: str
    distribution: str
    version: str
    speedup: float
    ci_low: float
    ci_high: float
    decision: str
    """`faster`, `not_faster` or `undecided`: whether it beats the baseline by 5 %."""
    restarts: int
    coverage: float
    relative_l2: float | None
    """Worst ||x - golden|| / ||golden|| over forward accuracy rows; empty where none was kept."""
    error_share: float | None
    """Worst max_error / bound over all accuracy rows; 1 is the edge of the tolerance."""
    outcome: str
    run_id: str
    judged_at: dt.datetime
    stale: str
    """By what older thing it was judged; empty where by nothing older."""
    confirming: str
    """Of the leader: that no second run has agreed yet; empty of all others."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UnrankedRow:
    """An operator that was judged and is not ranked, and why."""

    operator: str
    distribution: str
    version: str
    outcome: str
    code: str
    kind: str
    """`rejected`, `inconclusive`, `held`, `coverage`, `unmeasured` or `unofficial`."""
    reason: str
    run_id: str
    judged_at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ParetoPoint:
    """Error against speed of one ranked operator."""

    operator: str
    run_id: str
    relative_l2: float
    speedup: float
    on_frontier: bool
    """No other point is both faster and more exact."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One board: (suite, hardware class, dtype, mode), and what else could be chosen."""

    contract: str
    suite: str
    hardware_class: str
    dtype: str
    mode: str
    approximate: bool
    ranked: int
    """How many are ranked in all; `rows` is one page of them."""
    judged: int
    """How many have a place, ranked or not."""
    rows: tuple[RankedRow, ...]
    unranked: tuple[UnrankedRow, ...]
    pareto: tuple[ParetoPoint, ...]
    suites: tuple[str, ...]
    """Of this contract, the newest first; boards of different suites are never mixed."""
    hardware_classes: tuple[str, ...]
    dtypes: tuple[str, ...]
    modes: tuple[str, ...]
    retires_on: dt.date | None
    retired: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    dtype: str
    mode: str
    speedup: float
    ci_low: float
    ci_high: float
    decision: str
    coverage: float
    restarts: int
    relative_l2: float | None
    error_share: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    name: str
    outcome: str
    required: bool
    summary: str
    duration_s: float
    measurements: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Filled on the run page only; lists leave it empty."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run in a list."""

    id: str
    operator: str
    distribution: str
    version: str
    contract: str
    suite: str
    device: str
    hardware_class: str
    outcome: str
    code: str
    summary: str
    official: bool
    current: bool
    """No later run has taken its place."""
    held_reason: str
    recorded_at: dt.datetime
    torch: str
    judge: str
    stale: str
    """Of a run in force: by what older thing it was judged; empty where by nothing older."""
    scores: tuple[ScoreRow, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail:
    """One run, whole: what was signed, by whom, and how to repeat it."""

    run: RunRow
    submission_id: int
    sha256: str
    runner: str
    key_id: str
    signature: str
    payload_sha256: str
    started_at: dt.datetime
    finished_at: dt.datetime
    contract_digest: str
    gates: tuple[GateRow, ...]
    accuracy: tuple[AccuracyRow, ...]
    histograms: tuple[Histogram, ...]
    quality: tuple[QualityRow, ...]
    pareto: tuple[LengthPoint, ...]
    """Of approximate operators: quality kept beside speed, by length."""
    speed: tuple[SpeedCase, ...]
    claims: tuple[dict[str, Any], ...]
    fingerprint: dict[str, Any]
    judge: dict[str, Any]
    operator_metadata: dict[str, Any]
    repeat: str
    """The command that repeats the run; empty where the runner gave none."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRow:
    """One operator in a list, by its newest release."""

    name: str
    family: str
    contract: str
    variant: str
    summary: str
    paper: str
    license: str
    distribution: str
    version: str
    published_at: dt.datetime
    outcome: str
    """Of the newest run; empty while there is none."""
    code: str
    run_id: str
    best_speedup: float | None
    """Of the newest run, over its dtypes and modes; empty unless it passed."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRow:
    """One release that held the operator, newest first."""

    version: str
    sha256: str
    filename: str
    size_bytes: int
    published_at: dt.datetime
    sealed: bool
    yanked_reason: str
    submission_id: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperatorDetail:
    operator: OperatorRow
    plugin_summary: str
    install: str
    metadata: dict[str, Any]
    """Field by field, as `dougong.Operator` has them."""
    runs: tuple[RunRow, ...]
    """Newest first, all releases and machines: the history."""
    releases: tuple[ReleaseRow, ...]
    notices: tuple[NoticeRow, ...]
    """What became worse and is not mended yet."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    seq: int
    at: dt.datetime
    kind: str
    operator: str
    gate: str
    outcome: str
    code: str
    message: str
    attempt: int
    retry: int
    """0 while the first job was at work, else which retry said it."""
    device: str
    """Where that job was judged."""
    duration_s: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionOperator:
    """One operator of a submission and how far its gates are."""

    name: str
    contract: str
    outcome: str
    """Empty until its verdict is in."""
    code: str
    summary: str
    run_id: str
    gates: tuple[GateRow, ...]
    """From the verdict; while judging, from the events (`outcome` is `running` between the two)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of the way: uploaded, queued, judging, judged (or failed)."""

    name: str
    state: str
    """`done`, `active`, `waiting` or `failed`."""
    at: dt.datetime | None
    note: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionRow:
    id: int
    state: str
    distribution: str
    version: str
    submitter: str
    created_at: dt.datetime
    finished_at: dt.datetime | None
    error: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RetryRow:
    """Operators that are to be judged again."""

    operators: tuple[str, ...]
    not_before: dt.datetime
    state: str
    """`queued`, or `leased` while a runner is at it."""
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionDetail:
    submission: SubmissionRow
    sha256: str
    filename: str
    size_bytes: int
    attempts: int
    """Of the first job."""
    retry: RetryRow | None
    """Empty unless one is due or at work."""
    waiting: tuple[str, ...]
    """What its queued jobs wait for besides their turn: machines that are not there."""
    stages: tuple[Stage, ...]
    operators: tuple[SubmissionOperator, ...]
    events: tuple[EventRow, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperatorOutcome:
    """One operator of a submission and what its newest run came to; empty until there is one."""

    name: str
    outcome: str
    code: str
    run_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionState:
    """How far a submission is; `SubmissionDetail` has its story."""

    submission: SubmissionRow
    sha256: str
    operators: tuple[OperatorOutcome, ...]
    retry: RetryRow | None
    waiting: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    operators: int
    plugins: int
    runs: int
    runners: int
    waiting: int
    """Submissions queued or being judged."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    counts: Counts
    newest: tuple[OperatorRow, ...]
    fastest: tuple[BoardSummary, ...]
    queue: tuple[SubmissionRow, ...]
    """Waiting ones first, then those finished last."""
