"""What optimizers learnt: by task on the board of their contract, and one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from itertools import groupby

from django.db.models import Count, F, Min, QuerySet

from dougong_registry.boards.pages import Course, CourseSummary, LessonRow
from dougong_registry.runs.lessons import teaches
from dougong_registry.runs.models import Lesson

_OF_ITS_RUN = {
    "operator": "run__operator__name",
    "algorithm": "run__operator__variant",
    "distribution": "run__operator__release__plugin__name",
    "version": "run__operator__release__version",
    "hardware_class": "run__hardware_class",
    "run_id": "run__verdict_id",
}
_COLUMNS = {
    field.name: _OF_ITS_RUN.get(field.name, field.name) for field in dataclasses.fields(LessonRow)
}


def courses(contract: str, *, suite: str, hardware_class: str) -> tuple[Course, ...]:
    """Return, by task, the official runs in force that passed; none of a contract without lessons.

    Args:
        contract: Whose board.
        suite: `<contract>/<version>`; losses of different suites are never compared.
        hardware_class: Times of different machines are never compared.
    """
    if not teaches(contract):
        return ()
    lessons = _in_force().filter(
        run__contract=contract, run__suite=suite, run__hardware_class=hardware_class
    )
    rows = _rows(lessons.order_by("task", "final_loss", "pk"))
    return tuple(
        Course(task=task, rows=tuple(found)) for task, found in groupby(rows, lambda row: row.task)
    )


def courses_list(family: str = "") -> tuple[CourseSummary, ...]:
    """Return the tasks that optimizers were trained on, board by board."""
    if family not in ("", "optimizer"):
        return ()
    found = (
        _in_force()
        .values(
            "task",
            contract=F("run__contract"),
            suite=F("run__suite"),
            hardware_class=F("run__hardware_class"),
        )
        .annotate(
            trained=Count("pk"),
            lowest_loss=Min("final_loss"),
            fewest_steps=Min("steps_to_target"),
        )
        .order_by("contract", "suite", "hardware_class", "task")
    )
    return tuple(CourseSummary(**row) for row in found)


def _in_force() -> QuerySet[Lesson]:
    """Return the lessons of official runs that passed and that nothing has replaced."""
    return Lesson.objects.filter(
        run__official=True,
        run__superseded_at__isnull=True,
        run__outcome="passed",
        run__held_reason="",
        run__submission__publishes=True,
    )


def lessons_learnt(contract: str, run_ids: Iterable[str]) -> tuple[LessonRow, ...]:
    """Return the lessons of some runs, by task."""
    if not teaches(contract):
        return ()
    lessons = Lesson.objects.filter(run__verdict_id__in=list(run_ids))
    return tuple(_rows(lessons.order_by("task", "run__hardware_class", "pk")))


def _rows(lessons: QuerySet[Lesson]) -> list[LessonRow]:
    return [
        LessonRow(**dict(zip(_COLUMNS, row, strict=True)))
        for row in lessons.values_list(*_COLUMNS.values())
    ]
