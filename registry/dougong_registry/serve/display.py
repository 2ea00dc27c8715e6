"""What `dougong up` shows: a terminal gets colour and a live table, a pipe lines, a script JSON."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dougong_registry.serve.follow import Follower, Progress

_MARKS = {
    "passed": ("✓", "green"),
    "failed": ("✗", "red"),
    "inconclusive": ("~", "yellow"),
    "errored": ("!", "red"),
    "skipped": ("-", "dim"),
}
_QUIET = ("passed", "skipped")


class Display(Protocol):
    """The three ways of showing the same things."""

    def step(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Show that something begins, and when it is over, how long it took."""

    def note(self, text: str) -> None:
        """Show one line."""

    def ready(self, url: str) -> None:
        """Show where the hub answers."""

    def operator(self, progress: Progress, *, done: int, total: int) -> None:
        """Show the verdict on one operator."""

    def progress(self, followers: Sequence[Follower]) -> None:
        """Show what is being judged now; called several times a second."""

    def end(self, problems: Sequence[str], *, seconds: float) -> None:
        """Show how it ended."""

    def stopping(self) -> None:
        """Show that the wish to stop has been heard."""


class Plain:
    """One line a fact, for logs."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def _line(self, text: str) -> None:
        print(f"[{time.monotonic() - self.started:6.1f} s] {text}", flush=True)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        yield
        self._line(name)

    def note(self, text: str) -> None:
        self._line(text)

    def ready(self, url: str) -> None:
        self._line(f"the hub answers at {url}")

    def operator(self, progress: Progress, *, done: int, total: int) -> None:
        gates = " ".join(f"{gate}:{outcome}" for gate, outcome in progress.gates.items())
        verdict = progress.code or progress.outcome
        self._line(f"judged {done}/{total} {progress.name} {verdict} {gates}".rstrip())

    def progress(self, followers: Sequence[Follower]) -> None:
        """Show nothing: a line a gate would drown the verdicts."""

    def end(self, problems: Sequence[str], *, seconds: float) -> None:
        for problem in problems:
            self._line(problem)
        self._line("not everything was judged" if problems else "everything submitted is judged")

    def stopping(self) -> None:
        self._line("stopping")


class Json:
    """One JSON object a line, for scripts."""

    def _line(self, event: str, **fields: Any) -> None:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._line("step", name=name, seconds=round(time.monotonic() - started, 3))

    def note(self, text: str) -> None:
        self._line("note", text=text)

    def ready(self, url: str) -> None:
        self._line("ready", url=url)

    def operator(self, progress: Progress, *, done: int, total: int) -> None:
        self._line(
            "operator",
            name=progress.name,
            outcome=progress.outcome,
            code=progress.code,
            gates=progress.gates,
            done=done,
            total=total,
        )

    def progress(self, followers: Sequence[Follower]) -> None:
        """Show nothing: the events of the API are there for who wants each gate."""

    def end(self, problems: Sequence[str], *, seconds: float) -> None:
        self._line("end", problems=list(problems), seconds=round(seconds, 3))

    def stopping(self) -> None:
        self._line("stopping")


class Terminal:
    """Colour, and a live table of what is being judged.

    The table is refreshed by hand: rich's own refresh runs in a thread, and children must be
    forked by a process that has one thread only.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._judging_since = 0.0

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        line = Text.assemble(("  ✓ ", "green"), f"{name:<44}")
        self._console.print(line + Text(f"{time.monotonic() - started:6.1f} s", style="dim"))

    def note(self, text: str) -> None:
        self._console.print(Text.assemble(("  · ", "yellow"), text))

    def ready(self, url: str) -> None:
        self._console.print(
            Text.assemble("\n  斗拱  ", (url, f"bold link {url}"), ("   Ctrl-C stops it\n", "dim"))
        )

    def operator(self, progress: Progress, *, done: int, total: int) -> None:
        mark, style = _MARKS.get(progress.outcome, ("?", ""))
        grid = Table.grid(padding=(0, 1))
        for width in (3, 36, 26):
            grid.add_column(width=width, no_wrap=True, overflow="ellipsis")
        grid.add_column(no_wrap=True, overflow="ellipsis")
        verdict = Text(progress.code or progress.outcome, style=style)
        grid.add_row(Text(f"  {mark}", style=style), progress.name, verdict, _marks(progress))
        self._console.print(grid)

    def progress(self, followers: Sequence[Follower]) -> None:
        if all(follower.finished for follower in followers):
            self._close()
            return
        if self._live is None:
            self._judging_since = time.monotonic()
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(self._table(followers), refresh=True)

    def _table(self, followers: Sequence[Follower]) -> RenderableType:
        operators = [p for follower in followers for p in follower.operators.values()]
        done = sum(1 for progress in operators if progress.outcome)
        bar = Table.grid(padding=(0, 1))
        seconds = time.monotonic() - self._judging_since
        state = f"{done} of {len(operators)} judged" if operators else followers[0].state
        bar.add_row(
            "  ",
            ProgressBar(total=max(1, len(operators)), completed=done, width=30),
            Text(f"{state}   {int(seconds) // 60}:{int(seconds) % 60:02d}", style="dim"),
        )
        running = Table.grid(padding=(0, 1))
        for _ in range(3):
            running.add_column(no_wrap=True, overflow="ellipsis")
        for progress in operators:
            if not progress.outcome and (progress.running or progress.gates):
                running.add_row("  …", progress.name, _gates(progress))
        return Group(running, bar)

    def end(self, problems: Sequence[str], *, seconds: float) -> None:
        self._close()
        for problem in problems:
            self._console.print(Text.assemble(("  ✗ ", "red"), problem))
        if not problems:
            text = f"everything submitted is judged ({seconds:.0f} s)"
            self._console.print(Text.assemble(("  ✓ ", "green"), text))

    def stopping(self) -> None:
        self._close()
        self._console.print(Text("\n  stopping; Ctrl-C again to kill", style="dim"))

    def _close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _marks(progress: Progress) -> Text:
    """A mark a gate, then the names of those that did not pass."""
    text = Text()
    for outcome in progress.gates.values():
        text.append(*_MARKS.get(outcome, ("?", "")))
    unhappy = [gate for gate, outcome in progress.gates.items() if outcome not in _QUIET]
    return text.append("  " + ", ".join(unhappy), style="bold") if unhappy else text


def _gates(progress: Progress) -> Text:
    """Each gate by name, the one at work last."""
    text = Text()
    for gate, outcome in progress.gates.items():
        mark, style = _MARKS.get(outcome, ("?", ""))
        text.append(f"{mark} {gate}  ", style=style)
    if progress.running:
        text.append(f"… {progress.running}", style="bold")
    return text


def choose(*, as_json: bool) -> Display:
    """Return the display for where the output goes."""
    if as_json:
        return Json()
    console = Console()
    return Terminal(console) if console.is_terminal else Plain()
