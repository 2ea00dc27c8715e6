"""Quality and Pareto points of a verdict, on a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dougong_ci.report.verdict import ParetoPoint, QualityRow, Verdict

_CELLS = 10
_SHOWN = ("pairs", "string", "p99", "rate", "mask")
_METRICS = {
    "accuracy": "",
    "nats_per_byte": "nats a byte",
    "relative_l2": "relative error",
    "mass_recall": "mass recalled",
}


def render(verdict: Verdict) -> RenderableType:
    """Return tables of a verdict's quality rows and Pareto points; empty text without any."""
    return tables(verdict.quality, verdict.pareto)


def tables(rows: list[QualityRow], points: list[ParetoPoint]) -> RenderableType:
    """Return tables of quality rows and Pareto points; empty text without any."""
    if not rows:
        return Text("")
    parts: list[RenderableType] = [_tasks(rows)]
    if points:
        parts += [Text(""), _points(points)]
    return Group(*parts)


def _tasks(rows: list[QualityRow]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("task", no_wrap=True)
    table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("exact", justify="right", no_wrap=True)
    table.add_column("here", justify="right", no_wrap=True)
    table.add_column("retained", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in rows:
        style = "" if row.passed else "red"
        table.add_row(
            _name(row),
            str(row.params.get("length", "")),
            f"{row.exact:.3f}",
            f"{row.candidate:.3f}",
            Text(f"{row.retained:.0%}", style=style),
            _bar(row),
        )
    notes = [
        Text(f"{row.task}: {row.reason}", style="dim" if row.passed else "red")
        for row in rows
        if row.reason
    ]
    return Group(table, *notes)


def _name(row: QualityRow) -> Text:
    text = Text(row.task)
    shown = [f"{name} {row.params[name]}" for name in _SHOWN if name in row.params]
    words = [_METRICS.get(row.metric, row.metric), *shown]
    return text.append("  " + ", ".join(word for word in words if word), style="dim")


def _bar(row: QualityRow) -> Text:
    """Draw the share retained, and a mark at the floor where there is one."""
    filled = round(row.retained * _CELLS)
    cells = ["━" if i < filled else "╌" for i in range(_CELLS)]
    if row.floor:
        cells[min(_CELLS - 1, round(row.floor * _CELLS))] = "┃"
    return Text("".join(cells), style="green" if row.passed else "red")


def _points(points: list[ParetoPoint]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("tokens", "worst task retains", "speed-up", "exact, us", "here, us"):
        table.add_column(name, justify="right", no_wrap=True)
    for point in points:
        table.add_row(
            str(point.length),
            f"{point.retained:.0%}",
            Text(f"{point.speedup:.2f}x", style="green" if point.speedup > 1 else "yellow"),
            f"{point.baseline_us:,.0f}",
            f"{point.candidate_us:,.0f}",
        )
    return table
