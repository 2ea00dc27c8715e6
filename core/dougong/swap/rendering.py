"""Plans and reports as text for people and as data for `--json`."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dougong.swap.applying import Report
    from dougong.swap.choosing import Choice

_WIDTH = 132


def choice_to_dict(choice: Choice) -> dict[str, Any]:
    """Return one module of a plan as JSON-able data."""
    entry = choice.entry
    return {
        "path": choice.site.path,
        "class": type(choice.site.module).__name__,
        "contract": entry.operator.contract if entry else choice.site.fit.contracts[0],
        "operator": entry.name if entry else None,
        "distribution": entry.distribution if entry else None,
        "version": entry.version if entry else None,
        "selector": choice.selector,
        "device": str(choice.site.device),
        "dtype": str(choice.site.dtype).removeprefix("torch."),
        "reason": choice.reason,
        "note": choice.site.fit.note if entry else "",
        "rejected": [{"operator": name, "reason": why} for name, why in choice.rejected],
    }


def plan_table(mode: str, choices: Sequence[Choice]) -> str:
    """Render a plan; modules that differ only in the numbers of their paths share a line."""
    swapped = sum(choice.entry is not None for choice in choices)
    kept = len(choices) - swapped
    rows = [
        (
            choice.site.path,
            type(choice.site.module).__name__,
            choice.entry.operator.contract if choice.entry else choice.site.fit.contracts[0],
            choice.entry.name if choice.entry else "reference",
            _why(choice),
        )
        for choice in choices
    ]
    title = f"Plan for {mode}: {_count(swapped)} to swap, {kept} kept"
    return _table(title, ("module", "class", "contract", "operator", "why"), rows)


def report_table(report: Report) -> str:
    """Render a report in the same way."""
    running = sum(row.running != "reference" for row in report.rows)
    rows = [
        (row.path, row.class_name, row.contract, row.running, row.check or row.reason)
        for row in report.rows
    ]
    title = f"Applied for {report.mode}: {running} of {_count(len(rows))} run an operator now"
    return _table(title, ("module", "class", "contract", "running", "check"), rows)


def _why(choice: Choice) -> str:
    lines = [choice.reason]
    if choice.entry and choice.site.fit.note:
        lines.append(choice.site.fit.note)
    return "\n".join([*lines, *(f"{name}: {why}" for name, why in choice.rejected)])


def _count(modules: int) -> str:
    return f"{modules} module" if modules == 1 else f"{modules} modules"


def _table(title: str, heads: Sequence[str], rows: Iterable[tuple[str, ...]]) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in _grouped(rows):
        table.add_row(*map(Text, row))
    file = io.StringIO()
    console = Console(file=file, width=_WIDTH, no_color=True, highlight=False)
    console.print(Text(title))
    console.print(table)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _grouped(rows: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for path, *rest in rows:
        groups.setdefault((re.sub(r"\d+", "#", path), *rest), []).append(path)
    return [(_paths(paths), *rest) for (_, *rest), paths in groups.items()]


def _paths(paths: Sequence[str]) -> str:
    """Write layers.0.mlp, layers.1.mlp, layers.3.mlp as layers.{0-1,3}.mlp (3)."""
    if len(paths) == 1:
        return paths[0] or "(the model)"
    parts = [re.split(r"(\d+)", path) for path in paths]
    merged = [
        column[0] if len(set(column)) == 1 else "{" + _ranges(map(int, column)) + "}"
        for column in zip(*parts, strict=True)
    ]
    return f"{''.join(merged)} ({len(paths)})"


def _ranges(numbers: Iterable[int]) -> str:
    runs = []
    ordered = enumerate(sorted(set(numbers)))
    for _, run in itertools.groupby(ordered, key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        runs.append(str(members[0]) if len(members) == 1 else f"{members[0]}-{members[-1]}")
    return ",".join(runs)
