"""From what optimizers learnt to the marks that a chart draws and the numbers that a table says."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString

from dougong_registry.boards.pages import Course, LessonRow
from dougong_registry.web import charts, formats


def course_chart(course: Course) -> SafeString | str:
    """Draw everybody who reached the target of a task; nothing where nobody did."""
    points = [
        charts.TrainedPoint(
            label=row.algorithm or row.operator,
            steps=row.steps_to_target,
            loss=row.final_loss,
            note=f"{row.operator} {row.version}, {_state(row)}",
            href=reverse("run", args=[row.run_id]),
        )
        for row in course.rows
        if row.steps_to_target and row.final_loss > 0
    ]
    if not points:
        return ""
    return charts.training_chart(points, title=f"Trained on {course.task}")


def final_loss(row: LessonRow) -> tuple[str, str]:
    """Write the final loss, and its interval."""
    return _written("{:.3f}", row.final_loss, row.final_loss_low, row.final_loss_high)


def steps_to_target(row: LessonRow) -> tuple[str, str]:
    """Write the steps to the target, and their interval and of how many starts."""
    ends = row.steps_to_target_low, row.steps_to_target_high
    mean, interval = _written("{:.0f}", row.steps_to_target, *ends)
    if 0 < row.reached < row.starts:
        interval = f"{interval} {row.reached} of {row.starts} starts".strip()
    return mean, interval


def time_to_target(row: LessonRow) -> tuple[str, str]:
    """Write the time that its steps to the target took, without the gradients, and its interval."""
    mean, *ends = (
        None if ms is None else formats.duration(max(ms, 0.0) * 1e3)
        for ms in (row.ms_to_target, row.ms_to_target_low, row.ms_to_target_high)
    )
    return _written("{}", mean, *ends)


def _written(pattern: str, mean: Any, low: Any, high: Any) -> tuple[str, str]:
    if mean is None:
        return "never", ""
    text, *ends = (pattern.format(value) for value in (mean, low, high) if value is not None)
    # Where all starts took alike there is no interval to tell of.
    return text, " to ".join(ends) if len(set(ends)) == 2 else ""


def _state(row: LessonRow) -> str:
    if row.state_share is None:
        return "state unknown"
    return f"keeps {row.state_share:.2f} bytes a byte of parameters"
