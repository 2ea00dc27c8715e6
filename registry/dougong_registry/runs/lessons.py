"""What an optimizer learnt, read from its verdict: every mean is computed again from its starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dougong_ci.report.means import Mean, mean_of
from dougong_ci.report.verdict import QualityRow, Verdict
from dougong_registry.problem import Refused
from dougong_registry.runs.models import Lesson, Run

MAX_LESSONS = 16
MAX_STARTS = 100
_SAME = 1e-9


def teaches(contract: str) -> bool:
    """Say whether verdicts on a contract hold lessons: it judges optimizers by what they train."""
    return contract.startswith("optimizer.train@")


def lessons_of(run: Run, verdict: Verdict) -> list[Lesson]:
    """Return the lessons of a verdict, not saved yet; none where its contract has none.

    Raises:
        Refused: a lesson is malformed, or a mean is not that of its starts.
    """
    if not teaches(verdict.contract):
        return []
    rows = [row for row in verdict.quality if "final_loss" in row.params]
    if len(rows) > MAX_LESSONS or len({row.task for row in rows}) < len(rows):
        raise Refused(f"at most {MAX_LESSONS} lessons are read, each of another task")
    return [_lesson(run, row) for row in rows]


def _lesson(run: Run, row: QualityRow) -> Lesson:
    values, loss = _mean(row, "final_loss")
    steps_values, steps = _mean(row, "steps_to_target")
    _, ms = _mean(row, "ms_to_target")
    if loss.mean is None or not len(values) == len(steps_values) > 0:
        raise Refused(f"the lesson {row.task[:32]!r} must give the final loss of every start")
    return Lesson(
        run=run,
        task=row.task,
        starts=len(values),
        reached=sum(value is not None for value in steps_values),
        **_columns("final_loss", loss),
        **_columns("steps_to_target", steps),
        **_columns("ms_to_target", ms),
        state_share=_number(row, "state_bytes_per_parameter_byte"),
        retained=row.retained,
    )


def _mean(row: QualityRow, name: str) -> tuple[list[float | None], Mean]:
    said = row.params.get(name)
    values = said.get("values") if isinstance(said, Mapping) else None
    if not isinstance(said, Mapping) or not isinstance(values, list) or len(values) > MAX_STARTS:
        raise Refused(
            f"{name} of the lesson {row.task[:32]!r} must hold the values of at most {MAX_STARTS} "
            "starts"
        )
    if not all(value is None or _is_number(value) for value in values):
        raise Refused(f"{name} of the lesson {row.task[:32]!r} must hold numbers and nulls")
    found = mean_of(values)
    for field in ("mean", "ci_low", "ci_high"):
        _refuse_difference(row.task, f"{field} of {name}", said.get(field), getattr(found, field))
    return values, found


def _refuse_difference(task: str, what: str, said: Any, found: float | None) -> None:
    same = said is None if found is None else _is_number(said) and _close(said, found)
    if not same:
        raise Refused(
            f"{what} of the lesson {task[:32]!r} is given as {str(said)[:32]}, but its starts give "
            f"{found!r}"
        )


def _close(said: float, found: float) -> bool:
    return math.isclose(said, found, rel_tol=_SAME, abs_tol=_SAME)


def _number(row: QualityRow, name: str) -> float | None:
    value = row.params.get(name)
    if value is not None and not _is_number(value):
        raise Refused(f"{name} of the lesson {row.task[:32]!r} must be a number")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _columns(name: str, mean: Mean) -> dict[str, float | None]:
    return {name: mean.mean, f"{name}_low": mean.ci_low, f"{name}_high": mean.ci_high}
