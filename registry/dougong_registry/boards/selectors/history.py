"""How the speed of an operator went, over its releases and over versions of torch."""

from __future__ import annotations

from dougong_registry.boards.pages import HistoryPoint
from dougong_registry.runs.models import Score

NEWEST = 200
"""Scores that are read."""
_COLUMNS = {
    "version": "run__operator__release__version",
    "torch": "run__torch_version",
    "hardware_class": "run__hardware_class",
    "dtype": "dtype",
    "mode": "mode",
    "speedup": "speedup",
    "ci_low": "ci_low",
    "ci_high": "ci_high",
    "run_id": "run__verdict_id",
    "recorded_at": "run__recorded_at",
}


def operator_history(name: str) -> tuple[HistoryPoint, ...]:
    """Return every score of an operator that passed, oldest first, with the torch it ran on."""
    scores = Score.objects.filter(
        run__operator__name=name, run__outcome="passed", run__held_reason=""
    )
    newest = scores.order_by("-run__recorded_at", "-pk").values_list(*_COLUMNS.values())[:NEWEST]
    return tuple(HistoryPoint(**dict(zip(_COLUMNS, row, strict=True))) for row in reversed(newest))
