"""Machines: the kinds that judged something, and one kind."""

from __future__ import annotations

from django.db.models import Count, Max, QuerySet

from dougong_registry.boards.pages import HardwarePage, HardwareRow, RunnerRow
from dougong_registry.boards.selectors.runs import run_rows, runs_with_scores
from dougong_registry.boards.selectors.standings import boards_list
from dougong_registry.problem import Missing
from dougong_registry.runs.models import Run, Runner


def hardware_list() -> tuple[HardwareRow, ...]:
    """Return every kind of machine with a run in force, the one with most of them first."""
    return _rows(Run.objects.filter(superseded_at__isnull=True))


def hardware_detail(hardware_class: str, *, runs: int = 50) -> HardwarePage:
    """Return one kind of machine with its runners, boards and newest runs.

    Raises:
        Missing: nothing was judged on it.
    """
    here = Run.objects.filter(hardware_class=hardware_class, superseded_at__isnull=True)
    rows = _rows(here)
    if not rows:
        raise Missing(f"nothing was judged on {hardware_class!r}; see /hardware/")
    counts = dict(here.order_by().values_list("runner").annotate(many=Count("pk")))
    runners = Runner.objects.filter(pk__in=counts).order_by("name")
    newest = here.order_by("-recorded_at", "-pk").values_list("pk", flat=True)[:runs]
    shown = runs_with_scores().filter(pk__in=list(newest)).order_by("-recorded_at", "-pk")
    return HardwarePage(
        hardware=rows[0],
        runners=tuple(
            RunnerRow(
                name=runner.name,
                key_id=runner.key_id,
                official=runner.official,
                runs=counts[runner.pk],
                since=runner.created_at,
                last_seen_at=runner.last_seen_at,
                revoked_at=runner.revoked_at,
            )
            for runner in runners
        ),
        boards=boards_list(hardware=hardware_class),
        runs=run_rows(shown),
    )


def _rows(runs: QuerySet[Run]) -> tuple[HardwareRow, ...]:
    counted = (
        runs.order_by()
        .values_list("hardware_class")
        .annotate(
            many=Count("pk"),
            operators=Count("operator", distinct=True),
            machines=Count("runner", distinct=True),
            last=Max("recorded_at"),
        )
        .order_by("-many", "hardware_class")
    )
    return tuple(
        HardwareRow(
            hardware_class=name, runs=many, operators=operators, runners=runners, last_run_at=last
        )
        for name, many, operators, runners, last in counted
    )
