"""The typed rows of what keeps boards true; nothing here touches the database."""

from __future__ import annotations

import dataclasses
import datetime as dt


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRow:
    """Everything in force on one kind of machine that is, or was, judged again."""

    id: int
    reason: str
    """`torch`, `judge`, `suite`, or `asked` where a person did."""
    hardware_class: str
    from_versions: str
    to_version: str
    because: str
    total: int
    done: int
    left: int
    started_at: dt.datetime
    ended_at: dt.datetime | None
    ended_as: str
    """`finished`, `stopped` or `overtaken`; empty while it is live."""
    ended_because: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RerunRow:
    """One run that is, or was, checked by a second one."""

    id: int
    cause: str
    """`sample` or `first_place`."""
    week: str
    """Of a sample."""
    operator: str
    suite: str
    hardware_class: str
    first_run_id: str
    second_run_id: str
    result: str
    """`agrees`, `disagrees`, `incomparable` or `dropped`; empty while it is waited for."""
    words: str
    created_at: dt.datetime
    settled_at: dt.datetime | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    """What became worse on one board, between which runs."""

    id: int
    state: str
    """`open`, `acknowledged` or `closed`."""
    plugin: str
    operator: str
    suite: str
    hardware_class: str
    dtype: str
    mode: str
    from_run_id: str
    to_run_id: str
    words: str
    opened_at: dt.datetime
    acknowledged_at: dt.datetime | None
    acknowledged_by: str
    closed_at: dt.datetime | None
    closing_run_id: str
