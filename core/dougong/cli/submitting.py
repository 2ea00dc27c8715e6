"""`dougong submit`: a folder or a wheel goes to the hub; its gates are shown as they pass."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.text import Text

    from dougong.hub import Event, Hub, Submission

POLL_S = 0.5
NOT_PASSED = 1


def submit(
    path: Annotated[Path, typer.Argument(help="Folder of a plugin, or its wheel.", exists=True)],
    hub: Annotated[str | None, typer.Option("--hub", help="Address of the hub.")] = None,
    token: Annotated[str | None, typer.Option("--token", help="Token of the hub.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Show the gates until all is judged; exit 1 if not all.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the submission as JSON.")] = False,
) -> int:
    """Send a plugin to the hub: a folder is built into a wheel first."""
    import tempfile

    from dougong import pip
    from dougong.hub import Hub

    with Hub.required(hub, token) as client, tempfile.TemporaryDirectory() as folder:
        wheel = pip.build_wheel(path, Path(folder)) if path.is_dir() else path
        client.trusted(wheel.name.partition("-")[0])
        submission = client.submit(wheel)
        if not json:
            _announce(client, submission)
        if wait:
            submission = _follow(client, submission, quiet=json)
    if json:
        import dataclasses

        from dougong.cli.output import print_json

        print_json(dataclasses.asdict(submission))
    return NOT_PASSED if wait and not _all_passed(submission) else 0


def cancel(
    submission: Annotated[int, typer.Argument(help="Number of the submission.", min=1)],
    hub: Annotated[str | None, typer.Option("--hub", help="Address of the hub.")] = None,
    token: Annotated[str | None, typer.Option("--token", help="Token of the hub.")] = None,
) -> int:
    """Stop the judgement of a submission of yours; a retry that waits is taken back too."""
    from dougong.cli.output import console
    from dougong.hub import Hub

    with Hub.required(hub, token) as client:
        found = client.cancel(str(submission))
    console().print(f"submission {submission} is {found.state}", soft_wrap=True)
    return 0


def _all_passed(submission: Submission) -> bool:
    return (
        submission.state == "judged"
        and bool(submission.operators)
        and all(operator.outcome == "passed" for operator in submission.operators)
    )


def _announce(client: Hub, submission: Submission) -> None:
    from dougong.cli.output import console

    out = console()
    named = f"{submission.distribution} {submission.version}".strip() or submission.sha256[:12]
    url = submission.url or f"/submissions/{submission.id}"
    address = url if url.startswith("http") else client.url + url
    out.print(f"submitted {named}, {submission.state}: {address}", soft_wrap=True)


class Progress:
    """The gates of every operator as the events tell them."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self.operators: dict[str, dict[str, str]] = {}
        self.codes: dict[str, str] = {}
        self.last_seq = 0
        self.note = ""

    def take(self, event: Event) -> None:
        """Take in one event."""
        self.last_seq = max(self.last_seq, event.seq)
        if event.kind == "requeued":
            self.operators = {name: {} for name in self.operators}
            self.codes.clear()
        if event.message:
            self.note = event.message
        if not event.operator:
            return
        gates = self.operators.setdefault(event.operator, {})
        if event.kind == "gate_started":
            gates[event.gate] = "running"
        elif event.kind == "gate_finished":
            gates[event.gate] = event.outcome
        elif event.kind == "operator_finished":
            self.codes[event.operator] = event.code or event.outcome

    def picture(self) -> Text:
        """Return a row for each operator: what its gates came to."""
        from rich.text import Text

        from dougong.cli.output import STYLES, columns

        rows: list[list[str | Text]] = []
        for name, gates in self.operators.items():
            words = Text("  ").join(
                Text(f"{MARKS.get(outcome, '?')} {gate}", style=STYLES.get(outcome, "cyan"))
                for gate, outcome in gates.items()
            )
            rows.append([name, words, self.codes.get(name, "")])
        return columns(rows) if rows else Text(self.note or "waiting for a worker", style="dim")


MARKS = {
    "passed": "✓",
    "failed": "✗",
    "errored": "✗",
    "inconclusive": "~",
    "skipped": "-",
    "running": "…",
}


def _follow(client: Hub, submission: Submission, *, quiet: bool) -> Submission:
    from rich.live import Live

    from dougong.cli.output import console

    progress = Progress()
    out = console()
    live = out.is_terminal and not quiet
    with Live(console=out, refresh_per_second=8, transient=True) as screen:
        while True:
            # State first: events that come after it are read in the next round, not lost.
            submission = client.submission(submission.id)
            for event in client.events(submission.id, progress.last_seq):
                progress.take(event)
                if not (live or quiet):
                    _print_event(event)
            if live:
                screen.update(progress.picture())
            if submission.finished:
                break
            time.sleep(POLL_S)
    if not quiet:
        _print_end(progress, submission, picture=live)
    return submission


def _print_event(event: Event) -> None:
    if event.kind in ("gate_finished", "operator_finished", "error"):
        words = [event.operator, event.gate, event.code or event.outcome, event.message]
        print("  ".join(word for word in words if word), flush=True)


def _print_end(progress: Progress, submission: Submission, *, picture: bool) -> None:
    from dougong.cli.output import console, styled

    out = console()
    if picture:
        out.print(progress.picture(), soft_wrap=True)
    for operator in submission.operators:
        outcome = operator.outcome or "errored"
        text = f"{operator.name}  {operator.code or 'not judged'}"
        out.print(styled(outcome, text), soft_wrap=True)
    if submission.state == "failed":
        out.print(styled("failed", f"failed: {submission.error or progress.note}"), soft_wrap=True)
