"""What the cases of one run say together: speed by workload and dtype, memory beside time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from django.utils.safestring import SafeString

from dougong_ci.report.verdict import SpeedCase
from dougong_registry.web import charts, figures


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SpeedGrid:
    """Speed-ups by workload, and by dtype and mode."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]


def speed_grid(cases: Sequence[SpeedCase]) -> SpeedGrid:
    """Put the speed-ups of a run into a grid; a workload or dtype comes where it first did."""
    found = {
        (case.workload, _column(case)): figures.paired_ratio(case.baseline_us, case.candidate_us)
        for case in cases
    }
    columns = tuple(dict.fromkeys(column for _, column in found))
    workloads = dict.fromkeys(workload for workload, _ in found)
    return SpeedGrid(
        columns=columns,
        rows=tuple(
            (name, tuple(found.get((name, column)) for column in columns)) for name in workloads
        ),
    )


def heatmap_chart(cases: Sequence[SpeedCase]) -> SafeString:
    """Draw the speed-up of every workload in every dtype and mode."""
    grid = speed_grid(cases)
    return charts.heatmap_chart(
        [
            charts.Tile(row=name, column=column, value=value)
            for name, values in grid.rows
            for column, value in zip(grid.columns, values, strict=True)
        ],
        title="Speed-up by workload and dtype",
    )


def memory_points(cases: Sequence[SpeedCase]) -> list[charts.MemoryPoint]:
    """Return time and peak memory of each case where all four numbers were measured."""
    points = []
    for case in cases:
        took = figures.median_us(case.candidate_us)
        baseline_took = figures.median_us(case.baseline_us)
        held, baseline_held = _most(case.peak_bytes), _most(case.baseline_peak_bytes)
        if took and baseline_took and held and baseline_held:
            points.append(
                charts.MemoryPoint(
                    label=f"{case.workload} · {_column(case)}",
                    time_us=took,
                    baseline_time_us=baseline_took,
                    peak_bytes=held,
                    baseline_peak_bytes=baseline_held,
                )
            )
    return points


def memory_chart(points: Sequence[charts.MemoryPoint]) -> SafeString:
    """Draw memory against time."""
    return charts.memory_chart(points, title="Memory against time")


def _column(case: SpeedCase) -> str:
    return f"{case.dtype} · {case.mode}"


def _most(held: Sequence[int]) -> int:
    return max(held, default=0)
