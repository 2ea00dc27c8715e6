"""From the rows that selectors return to the marks that charts draw."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence

from django.urls import reverse
from django.utils.safestring import SafeString

from dougong_ci.report.score import restart_log_ratios
from dougong_ci.report.verdict import AccuracyRow, ParetoPoint, SpeedCase
from dougong_registry.boards.pages import Comparison
from dougong_registry.boards.rows import Board, GateRow, RunRow
from dougong_registry.web import charts, decisions, formats

WORST = 12
"""Accuracy rows drawn and listed before the rest is folded away."""


def board_chart(board: Board) -> SafeString:
    """Draw the ranked rows of a board, best first."""
    return charts.forest_chart(
        [
            charts.Interval(
                label=row.operator,
                value=row.speedup,
                low=row.ci_low,
                high=row.ci_high,
                rank=row.rank,
                note=(
                    f"{row.distribution} {row.version}, {decisions.word(row.decision)}, "
                    f"coverage {formats.percent(row.coverage)}"
                ),
                href=reverse("run", args=[row.run_id]),
            )
            for row in board.rows
        ],
        title=f"Speed-up of {board.contract}, {board.dtype}, {board.mode}",
    )


def pareto_chart(board: Board) -> SafeString:
    """Draw error against speed of an approximate board."""
    return charts.pareto_chart(
        [
            charts.ParetoPoint(
                label=point.operator,
                error=point.relative_l2,
                speedup=point.speedup,
                on_frontier=point.on_frontier,
                href=reverse("run", args=[point.run_id]),
            )
            for point in board.pareto
        ],
        title=f"Error against speed-up of {board.contract}, {board.dtype}, {board.mode}",
    )


def operator_chart(runs: Sequence[RunRow]) -> SafeString:
    """Draw every score of an operator's current runs, one row a machine, dtype and mode."""
    return charts.forest_chart(
        [
            charts.Interval(
                label=f"{score.dtype} · {score.mode}",
                value=score.speedup,
                low=score.ci_low,
                high=score.ci_high,
                note=f"{decisions.word(score.decision)}, {run.hardware_class}, {run.suite}",
                href=reverse("run", args=[run.id]),
            )
            for run in runs
            for score in run.scores
        ],
        title="Speed-up by dtype and mode",
    )


def compare_chart(comparison: Comparison) -> SafeString:
    """Draw the speeds of operators side by side, grouped by dtype and mode."""
    modes = {mode for _, mode in comparison.keys}
    return charts.forest_chart(
        [
            charts.Interval(
                label=" · ".join(
                    [column.operator.name, dtype, *([mode] if len(modes) > 1 else [])]
                ),
                value=score.speedup,
                low=score.ci_low,
                high=score.ci_high,
                note=decisions.word(score.decision),
                href=reverse("run", args=[column.run.id]),
            )
            for dtype, mode in comparison.keys
            for column in comparison.operators
            if column.run
            for score in column.run.scores
            if (score.dtype, score.mode) == (dtype, mode)
        ],
        title="Speed-up of operators side by side",
    )


def run_chart(run: RunRow) -> SafeString:
    """Draw the scores of one run."""
    return operator_chart([run])


def kept_chart(points: Sequence[ParetoPoint]) -> SafeString:
    """Draw what an approximation keeps beside its speed, by length."""
    return charts.kept_chart(
        [
            charts.KeptPoint(
                label=f"{point.length:,} tokens",
                retained=point.retained,
                speedup=point.speedup,
                note=(
                    f"{formats.duration(point.candidate_us)}, exact "
                    f"{formats.duration(point.baseline_us)}"
                ),
            )
            for point in sorted(points, key=lambda point: point.length)
        ],
        title="Quality kept against speed-up, by length",
    )


def gates_chart(gates: Sequence[GateRow]) -> SafeString:
    """Draw where the judge's time went."""
    return charts.timeline_chart(
        [
            charts.Span(name=gate.name, outcome=gate.outcome, duration_s=gate.duration_s)
            for gate in gates
        ],
        title="Gates by time",
    )


def samples_chart(case: SpeedCase) -> SafeString:
    """Draw every raw time of one case."""
    return charts.strip_chart(
        [
            charts.Lane(kind="candidate", samples_us=case.candidate_us),
            charts.Lane(kind="baseline", samples_us=case.baseline_us),
            charts.Lane(kind="control", samples_us=case.control_us),
        ],
        title=f"Raw times of {case.workload}, {case.dtype}, {case.mode}",
    )


def accuracy_chart(rows: Sequence[AccuracyRow]) -> SafeString:
    """Draw the rows nearest to their bound, or beyond it."""
    return charts.accuracy_chart(
        [
            charts.AccuracyMark(
                label=f"{row.workload} · {row.dtype} · {row.direction}",
                share=bound_share(row.max_error, row.bound),
                native_share=bound_share(row.native_max_error, row.bound),
                passed=row.passed,
            )
            for row in rows[:WORST]
        ],
        title="Errors as a share of their bound",
    )


def worst_first(rows: Iterable[AccuracyRow]) -> list[AccuracyRow]:
    """Sort rows so that failures and near misses come first."""
    return sorted(rows, key=lambda row: (row.passed, -bound_share(row.max_error, row.bound)))


def bound_share(error: float, bound: float) -> float:
    """Return error / bound; an error over a bound of zero is drawn far beyond it."""
    if bound > 0:
        return error / bound
    return 0.0 if error == 0 else 1e3


def paired_ratio(
    above_us: Sequence[Sequence[float]], below_us: Sequence[Sequence[float]]
) -> float | None:
    """Return the median over restarts of the ratio, as the score takes it; None if unmeasured."""
    if not any(above_us) or not any(below_us):
        return None
    return math.exp(statistics.median(restart_log_ratios(above_us, below_us)))


def median_us(samples_us: Sequence[Sequence[float]]) -> float | None:
    """Return the median over restarts of the median over rounds."""
    medians = [statistics.median(run) for run in samples_us if run]
    return statistics.median(medians) if medians else None
