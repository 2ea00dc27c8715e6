"""How the speed of an operator went, over its releases and over versions of torch."""

from __future__ import annotations

import json

from django.db.models import F, QuerySet, TextField, Value
from django.db.models.functions import StrIndex, Substr

from dougong_registry.boards.pages import HistoryPoint
from dougong_registry.runs.models import Score

FINGERPRINT = '"fingerprint":'
"""Where the machine stands in a verdict. Inside a string its quotes would be escaped."""
LONGEST = 8_000
"""Characters of a fingerprint that are read."""
NEWEST = 200
"""Scores that are read."""


def operator_history(name: str) -> tuple[HistoryPoint, ...]:
    """Return every score of an operator that passed, oldest first, with the torch it ran on.

    Verdicts hold their raw samples, so only the part that describes the machine is read.
    """
    scores = _scores(name).order_by("-run__recorded_at", "-pk")[:NEWEST]
    return tuple(
        HistoryPoint(
            version=score.run.operator.release.version,
            torch=_torch(getattr(score, "machine", "")),
            hardware_class=score.run.hardware_class,
            dtype=score.dtype,
            mode=score.mode,
            speedup=score.speedup,
            ci_low=score.ci_low,
            ci_high=score.ci_high,
            run_id=score.run.verdict_id,
            recorded_at=score.run.recorded_at,
        )
        for score in reversed(scores)
    )


def _scores(name: str) -> QuerySet[Score]:
    start = StrIndex(F("run__payload"), Value(FINGERPRINT)) + len(FINGERPRINT)
    return (
        Score.objects.filter(run__operator__name=name, run__outcome="passed", run__held_reason="")
        .select_related("run__operator__release")
        .defer("run__payload", "run__operator__metadata")
        .annotate(machine=Substr("run__payload", start, LONGEST, output_field=TextField()))
    )


def _torch(machine: str) -> str:
    try:
        found, _ = json.JSONDecoder().raw_decode(machine)
    except ValueError:
        return ""
    return str(found.get("torch", "")) if isinstance(found, dict) else ""
