"""What a recorded run found, for comparing."""

from __future__ import annotations

from dougong_registry.runs.comparing import Found, Measured
from dougong_registry.runs.models import Run


def found(run: Run) -> Found:
    """Return what a run found, from its scores."""
    return Found(
        outcome=run.outcome,
        boards={
            (score.dtype, score.mode): Measured(
                speedup=score.speedup,
                ci_low=score.ci_low,
                ci_high=score.ci_high,
                relative_l2=score.relative_l2,
            )
            for score in run.scores.all()
        },
    )
