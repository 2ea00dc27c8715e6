"""The typed rows of plugins, people, machines and suites; nothing here touches the database."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from dougong_registry.boards.rows import (
    BoardSummary,
    GateRow,
    OperatorRow,
    ReleaseRow,
    RunRow,
    SubmissionRow,
)
from dougong_registry.boards.upkeep_rows import NoticeRow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PluginRow:
    """One plugin in a list."""

    name: str
    canonical: str
    summary: str
    status: str
    status_reason: str
    owner: str
    created_at: dt.datetime
    operators: int
    releases: int
    version: str
    """Of the newest release, on offer or not."""
    released_at: dt.datetime | None
    latest: str
    """The version that was published last and is not yanked; empty while there is none."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One release of a plugin, with its file."""

    version: str
    filename: str
    sha256: str
    size_bytes: int
    license: str
    requires_python: str
    uploaded_at: dt.datetime
    sealed: bool
    offered: bool
    """Installers are shown it; a yanked one only to who asks for exactly it."""
    yanked_reason: str
    submission_id: int
    submitter: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LessonRow:
    """What one optimizer made of one task: means over starts with their 95 % intervals."""

    task: str
    operator: str
    algorithm: str
    """What it says it is; empty where it does not say."""
    distribution: str
    version: str
    hardware_class: str
    run_id: str
    starts: int
    reached: int
    final_loss: float
    final_loss_low: float | None
    final_loss_high: float | None
    steps_to_target: float | None
    steps_to_target_low: float | None
    steps_to_target_high: float | None
    ms_to_target: float | None
    ms_to_target_low: float | None
    ms_to_target_high: float | None
    state_share: float | None
    """Bytes that it keeps for each byte of parameters."""
    retained: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Everybody who was trained on one task, the lowest final loss first."""

    task: str
    rows: tuple[LessonRow, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CourseSummary:
    """One task of a training board in the list of boards."""

    contract: str
    suite: str
    hardware_class: str
    task: str
    trained: int
    """Operators."""
    lowest_loss: float
    fewest_steps: float | None
    """To the target; None where nobody got there."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run in the history of an operator."""

    id: str
    version: str
    outcome: str
    hardware_class: str
    summary: str
    held_reason: str
    recorded_at: dt.datetime
    current: bool
    stale: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPage:
    """One operator as its page shows it."""

    operator: OperatorRow
    plugin_summary: str
    install: str
    metadata: dict[str, Any]
    """Field by field, as `dougong.Operator` has them."""
    current: tuple[RunRow, ...]
    """In force, the newest first, with their scores."""
    lessons: tuple[LessonRow, ...]
    """What an optimizer learnt in them."""
    gates: tuple[GateRow, ...]
    """Of the run that stands for the operator in lists."""
    runs: tuple[RunLine, ...]
    """A part of the history, the newest first."""
    run_count: int
    """Of the whole history."""
    releases: tuple[ReleaseRow, ...]
    notices: tuple[NoticeRow, ...]
    """What became worse and is not mended yet."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is known of one operator on one device in one dtype."""

    state: str
    """`measured`, `judged` (passed there, not timed), `failed`, `declared` or empty."""
    speedup: float | None = None
    run_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Compatibility:
    """Devices and dtypes of a plugin's operators: measured, or only declared."""

    columns: tuple[tuple[str, str], ...]
    """Device and dtype."""
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    """Operator, and a cell for each column."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PluginPage:
    name: str
    canonical: str
    summary: str
    status: str
    status_reason: str
    owner: str
    created_at: dt.datetime
    people: tuple[str, ...]
    """Logins of the owner and of everybody who submitted a release, the owner first."""
    install: str
    """Empty while nothing is on offer."""
    current: VersionRow | None
    """The newest release on offer and not yanked, else the newest of all."""
    core_metadata: str
    """Of that release."""
    operators: tuple[OperatorRow, ...]
    operator_count: int
    compatibility: Compatibility
    releases: tuple[VersionRow, ...]
    """Newest first."""
    notices: tuple[NoticeRow, ...]
    """What became worse and is not mended yet."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequirementChange:
    """One line of METADATA that says what a release needs."""

    requirement: str
    change: str
    """`added`, `removed` or `same`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    plugin: str
    canonical: str
    status: str
    release: VersionRow
    core_metadata_sha256: str
    previous: str
    """The version before it; empty of the first."""
    requirements: tuple[RequirementChange, ...]
    operators: tuple[OperatorRow, ...]
    operator_count: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """One person in a list."""

    login: str
    provider: str
    external_id: str
    since: dt.datetime
    plugins: int
    submissions: int
    role: str
    standing: str
    """Both as last decided; empty of somebody of whom nothing is recorded."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PersonPage:
    person: PersonRow
    namesakes: tuple[PersonRow, ...]
    """Others with this login at other providers: the login alone says not who it is."""
    providers: tuple[str, ...]
    """First halves of operator names that are this person's."""
    plugins: tuple[PluginRow, ...]
    submissions: tuple[SubmissionRow, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HardwareRow:
    """One kind of machine in a list."""

    hardware_class: str
    runs: int
    operators: int
    runners: int
    last_run_at: dt.datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunnerRow:
    name: str
    key_id: str
    official: bool
    runs: int
    """On this kind of machine."""
    since: dt.datetime
    last_seen_at: dt.datetime | None
    revoked_at: dt.datetime | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HardwarePage:
    hardware: HardwareRow
    runners: tuple[RunnerRow, ...]
    boards: tuple[BoardSummary, ...]
    runs: tuple[RunRow, ...]
    """The newest."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRow:
    """One suite in a list."""

    contract: str
    version: str
    runs: int
    machines: int
    last_run_at: dt.datetime
    state: str
    """`in force` or `retired`."""
    retires_on: dt.date | None
    """From which day on nothing under it is ranked; empty while none was said."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SuiteCase:
    """One timed case of a suite."""

    workload: str
    params: dict[str, Any]
    weight: float
    baseline: str
    dtypes: tuple[str, ...]
    modes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SuiteCheck:
    """One workload whose accuracy is checked, with the widest bound of each dtype."""

    workload: str
    params: dict[str, Any]
    bounds: tuple[tuple[str, float], ...]
    """Dtype and bound."""
    directions: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SuitePage:
    suite: SuiteRow
    digests: tuple[str, ...]
    """Of the contract, in the verdicts that were read; more than one means it was changed."""
    cases: tuple[SuiteCase, ...]
    checks: tuple[SuiteCheck, ...]
    read_from: tuple[RunRow, ...]
    """The verdicts that the cases were read from."""
    boards: tuple[BoardSummary, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    seq: int
    at: dt.datetime
    actor: str
    verb: str
    target: str
    payload: dict[str, Any]
    hash: str
    previous: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparedOperator:
    """One column of a comparison."""

    operator: OperatorRow
    releases: int
    run: RunRow | None
    """The current run on the chosen machine."""
    peak_bytes: int | None
    """Most memory held over its cases; empty where it was not measured."""
    baseline_peak_bytes: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    operators: tuple[ComparedOperator, ...]
    hardware_class: str
    hardware_classes: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]
    """Dtypes and modes that at least one was timed in."""
    contracts: tuple[str, ...]
    """More than one means that the speeds have different baselines."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPoint:
    """One score of an operator, by release and torch."""

    version: str
    torch: str
    hardware_class: str
    dtype: str
    mode: str
    speedup: float
    ci_low: float
    ci_high: float
    run_id: str
    recorded_at: dt.datetime
