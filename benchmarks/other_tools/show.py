"""The comparison as a table in a terminal, and as a part of a Markdown page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from other_tools.judged import Judged
from other_tools.kernel_hub import Run
from other_tools.row import Row, counts
from other_tools.static_scan import Scan

_BEGIN, _END = "<!-- begin: compare_tools.py -->", "<!-- end: compare_tools.py -->"
_GOOD, _BAD, _SO_SO = "green", "red", "yellow"


def run_words(run: Run) -> str:
    """Say what `kernels benchmark` made of an operator."""
    if run.outcome == "reported":
        return f"verified, {run.detail or f'{run.speedup:.2f}x'}"
    if run.outcome == "refused":
        return "refused"
    if run.outcome == "stopped":
        error = re.match(r"\s*(?:\w+\.)*(\w+(?:Error|Exception|Exit))\b", run.detail)
        return f"stopped: {error[1] if error else 'an error'}"
    return {"silent": "exit 0, no report", "endless": "time limit"}[run.outcome]


def scan_words(scan: Scan) -> str:
    """Say what KernelGuard made of it."""
    if not scan.rules:
        return "nothing"
    outcome = "filtered" if scan.filtered else "suspicious" if scan.flagged else "noted"
    return f"{outcome}: {', '.join(rule.lower().replace('_', ' ') for rule in scan.rules)}"


def _run_colour(row: Row) -> str:
    if row.run.outcome == "reported":
        return _BAD if row.cheat else _GOOD
    if row.run.outcome == "refused":
        return _GOOD if row.cheat else _BAD
    return _SO_SO


def _scan_colour(row: Row) -> str:
    if row.scan.flagged:
        return _GOOD if row.cheat else _BAD
    return _SO_SO if row.scan.rules else _BAD if row.cheat else _GOOD


def _judged_colour(judged: Judged) -> str:
    return {None: "dim", True: _GOOD, False: _BAD}[judged.right]


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the table, cheats first, with counts at its foot."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("no.", justify="right")
    for heading in ("operator", "kernels benchmark", "KernelGuard", "Dougong"):
        table.add_column(heading)
    for cheat, heading in ((True, "cheats"), (False, "honest")):
        group = [row for row in rows if row.cheat is cheat]
        if group:
            table.add_row("", f"[bold]{heading}[/]")
        for row in group:
            table.add_row(
                str(row.number or ""),
                escape(row.name),
                f"[{_run_colour(row)}]{run_words(row.run)}",
                f"[{_scan_colour(row)}]{scan_words(row.scan)}",
                f"[{_judged_colour(row.judged)}]{row.judged.words}",
            )
    console.print(table)
    console.print()
    foot = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    foot.add_column(style="bold", no_wrap=True)
    foot.add_column()
    for tool, sentence in counts(rows):
        foot.add_row(tool, sentence)
    console.print(foot)


def markdown(rows: Sequence[Row], measured: str) -> str:
    """Return the generated part of the page: how it was measured, counts, both tables."""
    lines = [measured, "", "| tool | of this corpus |", "|---|---|"]
    lines += [f"| {tool} | {sentence} |" for tool, sentence in counts(rows)]
    for cheat, heading in ((True, "Cheats"), (False, "Honest operators")):
        lines += ["", f"### {heading}", ""]
        lines += ["| no. | operator | `kernels benchmark` | KernelGuard | Dougong |"]
        lines += ["|--:|---|---|---|---|"]
        for row in rows:
            if row.cheat is cheat:
                cells = (
                    str(row.number or ""),
                    f"{row.title} (`{row.name}`)",
                    run_words(row.run),
                    scan_words(row.scan),
                    row.judged.words,
                )
                lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def write(page: Path, generated: str) -> None:
    """Put the generated part between the two marks of a page; all else is kept.

    Raises:
        ValueError: the page has no marks.
    """
    text = page.read_text()
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{page} needs the lines {_BEGIN!r} and {_END!r}")
    page.write_text(f"{before}{begin}\n\n{generated}\n\n{end}{after}")
