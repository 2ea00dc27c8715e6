"""The verdict format, its score and its signature: all that the hub knows of the judge."""

from __future__ import annotations

from dougong_ci.report.verdict import (
    SCHEMA,
    AccuracyRow,
    Gate,
    Outcome,
    Score,
    SpeedCase,
    Subject,
    Verdict,
    from_json,
)

__all__ = [
    "SCHEMA",
    "AccuracyRow",
    "Gate",
    "Outcome",
    "Score",
    "SpeedCase",
    "Subject",
    "Verdict",
    "from_json",
]
