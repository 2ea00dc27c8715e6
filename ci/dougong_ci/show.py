"""A judgement on a terminal: gates as they pass, then one line an operator."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from dougong_ci.judge.replay import Replay
from dougong_ci.quality.show import render
from dougong_ci.report.verdict import Verdict

_MARKS = {
    "passed": ("✓", "green"),
    "failed": ("✗", "red"),
    "errored": ("!", "red"),
    "inconclusive": ("?", "yellow"),
    "skipped": ("–", "dim"),
    "running": ("…", "cyan"),
}
_PIPE_WIDTH = 10_000


class Display:
    """The gates of every operator, from the judge's events."""

    def __init__(self, console: Console | None) -> None:
        """Print plain lines to `console` where it is no terminal; nothing where it is None."""
        self._console = console
        self._rows: dict[str, dict[str, str]] = {}
        self._note = "starting the sandbox"
        self._live: Live | None = None

    def take(self, event: dict[str, Any]) -> None:
        """Take in one event."""
        kind, operator = event["kind"], str(event.get("operator", ""))
        if kind == "discovered":
            self._rows = {str(each["name"]): {} for each in event["operators"]}
        elif kind == "gate_started":
            self._rows.setdefault(operator, {})[event["gate"]] = "running"
            self._note = f"{operator}: {event['gate']}"
        elif kind == "gate_finished":
            self._rows.setdefault(operator, {})[event["gate"]] = event["outcome"]
        elif kind == "progress":
            self._note = event["message"]
        self._print(event)

    def _print(self, event: dict[str, Any]) -> None:
        if self._live is not None:
            self._live.update(self.render())
        elif self._console is not None and event["kind"] in ("gate_finished", "progress"):
            words = (event.get(k, "") for k in ("operator", "gate", "outcome", "summary"))
            line = " ".join(str(word) for word in words if word) or event["message"]
            self._console.print(Text(line))

    def render(self) -> Group:
        """Draw what is known now."""
        table = Table.grid(padding=(0, 2))
        for operator, gates in self._rows.items():
            marks = Text()
            for gate, outcome in gates.items():
                mark, style = _MARKS[outcome]
                marks.append(f"{mark} {gate}  ", style=style)
            table.add_row(operator, marks)
        return Group(table, Spinner("dots", Text(self._note, style="dim")))

    @contextlib.contextmanager
    def live(self) -> Iterator[None]:
        """Keep the table up to date on a terminal."""
        if self._console is None or not self._console.is_terminal:
            yield
            return
        with Live(self.render(), console=self._console, transient=True) as self._live:
            yield
        self._live = None


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Display]:
    """Show a judgement on stderr while it runs."""
    width = None if sys.stderr.isatty() else _PIPE_WIDTH
    display = Display(None if quiet else Console(stderr=True, highlight=False, width=width))
    with display.live():
        yield display


def verdicts(found: list[Verdict]) -> None:
    """Print one line an operator: outcome, code, speed with its interval, the reason."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(highlight=False, width=width)
    table = Table.grid(padding=(0, 2))
    for verdict in found:
        mark, style = _MARKS[verdict.outcome]
        table.add_row(
            Text(f"{mark} {verdict.subject.operator['name']}", style=style),
            verdict.contract,
            Text(verdict.code, style=style),
            Text(verdict.summary),
        )
    console.print(table)
    for verdict in found:
        if verdict.quality:
            console.print(Text(f"\n{verdict.subject.operator['name']}: quality beside speed"))
            console.print(render(verdict))
        for claim in verdict.claims:
            console.print(
                Text(f"claim {claim['status']}: {claim['claim']} ({claim['reason']})", style="dim")
            )
    if found and not found[0].judge["fit_for_board"]:
        judge = found[0].judge
        console.print(
            Text(f"not for a board: profile {judge['profile']}, {judge['sandbox_detail']}", "dim")
        )


def replay(found: Replay, machine: str) -> None:
    """Print the gates then and now, and which accuracy numbers changed."""
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    console = Console(highlight=False, width=width)
    table = Table.grid(padding=(0, 2))
    for name, before, after in found.gates:
        style = "green" if before == after else "red"
        table.add_row(Text("=" if before == after else "≠", style=style), name, before, after)
    console.print(table)
    rows, changed = len(found.stored.accuracy), found.changed_rows
    if not changed:
        console.print(Text(f"accuracy: {rows} rows bit-equal", style="green"))
    for row in changed[:20]:
        console.print(Text(f"accuracy differs: {row}", style="red"))
    if machine:
        console.print(Text(f"another machine: {machine}", style="yellow"))


def replay_json(found: Replay) -> None:
    """Print both verdicts and the differences."""
    data = {
        "same": found.same,
        "gates": [
            {"gate": name, "stored": before, "found": after} for name, before, after in found.gates
        ],
        "changed_rows": found.changed_rows,
        "stored": json.loads(found.stored.to_json()),
        "found": json.loads(found.found.to_json()),
    }
    print(json.dumps(data))
