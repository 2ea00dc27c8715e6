"""A hub, through its public HTTP API: the client, and the records that it answers with."""

from __future__ import annotations

from dougong.hub.client import Hub
from dougong.hub.records import (
    Board,
    BoardRow,
    BoardSummary,
    Detail,
    Event,
    FacetValue,
    Found,
    HubOperator,
    Plugin,
    Release,
    Run,
    Score,
    Submission,
    SubmittedOperator,
    Unranked,
)

__all__ = [
    "Board",
    "BoardRow",
    "BoardSummary",
    "Detail",
    "Event",
    "FacetValue",
    "Found",
    "Hub",
    "HubOperator",
    "Plugin",
    "Release",
    "Run",
    "Score",
    "Submission",
    "SubmittedOperator",
    "Unranked",
]
