"""`dougong board optimizer`: what optimizers trained, in how many steps, with how much memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dougong.training import Measured, Trained


def show(url: str | None, folders: Sequence[Path], *, json: bool) -> None:
    """Print the board of the family, from folders, the hub or this machine.

    Raises:
        HubError: a hub was named and cannot be asked.
        EvidenceError: a folder holds what is no verdict.
    """
    from dougong import training
    from dougong.cli.gathering import gathered
    from dougong.cli.output import print_json

    where, found = gathered(url, folders, training.CONTRACT, training.read)
    rows = training.board(found)
    if json:
        counts = {
            "judged": len(rows),
            "accepted": sum(row.passed for row in rows),
            "algorithms": sum(row.counts for row in rows),
        }
        print_json({"source": where, **counts, "rows": [dataclasses.asdict(row) for row in rows]})
    else:
        _print(where, rows)


def _print(where: str, rows: Sequence[Trained]) -> None:
    from dougong.cli.output import columns, console
    from dougong.training import CONTRACT

    out = console()
    out.print(f"[bold]{CONTRACT}[/]  means over starts, 95 % intervals", soft_wrap=True)
    out.print(where, soft_wrap=True, style="dim", markup=False)
    for task in dict.fromkeys(lesson.task for row in rows for lesson in row.lessons):
        lines = [line for row in rows if row.passed and (line := _line(row, task))]
        header = [task, "final loss", "steps to target", "ms to target", "state/param", "verdict"]
        out.print()
        out.print(columns(lines, header=header), soft_wrap=True)
    out.print()
    for row in rows:
        if not row.passed:
            text = f"not accepted  {row.operator} {row.version}  {row.code}: {row.summary}"
            out.print(text, soft_wrap=True, markup=False, style="dim")
        elif row.alias_of:
            text = f"same algorithm  {row.operator} is {row.alias_of}"
            out.print(text, soft_wrap=True, markup=False, style="dim")
    accepted, counted = (sum(getattr(row, name) for row in rows) for name in ("passed", "counts"))
    out.print(f"{len(rows)} judged, {accepted} accepted, {counted} algorithms")


def _line(row: Trained, task: str) -> list[Any]:
    for lesson in row.lessons:
        if lesson.task == task:
            share = row.state_bytes_per_parameter_byte
            return [
                row.operator,
                _interval(lesson.final_loss, 3),
                _interval(lesson.steps_to_target, 0),
                _interval(lesson.ms_to_target, 1),
                "" if share is None else f"{share:.2f}",
                row.verdict[:8],
            ]
    return []


def _interval(found: Measured, digits: int) -> str:
    """Write a mean with its interval, and how many starts it is of where some fell short."""
    if found.mean is None:
        return "never"
    text = f"{found.mean:.{digits}f}"
    if found.ci_low is not None and found.ci_high is not None:
        text += f" [{found.ci_low:.{digits}f}, {found.ci_high:.{digits}f}]"
    if found.reached < found.starts:
        text += f" ({found.reached} of {found.starts})"
    return text
