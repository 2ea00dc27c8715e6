"""How commands print: one console, plain tables, JSON."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

PIPE_WIDTH = 10_000
"""Columns of a pipe: a line of a file or of a grep is never wrapped."""

GAP = 2
"""Spaces between two columns."""

STYLES = {
    "heading": "bold",
    "label": "dim",
    "ok": "green",
    "passed": "green",
    "unavailable": "yellow",
    "inconclusive": "yellow",
    "skipped": "dim",
    "duplicate": "red",
    "broken": "red",
    "failed": "red",
    "errored": "red",
}


def console(*, error: bool = False) -> Console:
    """Return a console on stdout or stderr; colours on a terminal only."""
    stream = sys.stderr if error else sys.stdout
    return Console(
        stderr=error,
        highlight=False,
        soft_wrap=False,
        width=None if stream.isatty() else PIPE_WIDTH,
    )


def print_json(data: Any) -> None:
    """Print JSON that another program reads."""
    print(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def columns(rows: Sequence[Sequence[str | Text]], *, header: Sequence[str] = ()) -> Text:
    """Set rows in aligned columns, ready to print; the last column runs on, never wrapped.

    Args:
        rows: Cells; a row of one cell is a heading and widens no column.
        header: Names of the columns, dim, above the rows.
    """
    lines = [[Text(name, style="dim") for name in header]] if header else []
    lines += [[_text(cell) for cell in row] for row in rows]
    count = max(map(len, lines), default=0)
    widths = [
        max((line[index].cell_len for line in lines if len(line) > index + 1), default=0)
        for index in range(count)
    ]
    return Text("\n").join(map(_line, lines, itertools.repeat(widths)))


def _line(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text(no_wrap=True, overflow="ignore")
    for cell, width in zip(cells[:-1], widths, strict=False):
        line.append_text(cell).append(" " * (width - cell.cell_len + GAP))
    for cell in cells[-1:]:
        line.append_text(cell)
    line.rstrip()
    return line


def _text(cell: str | Text) -> Text:
    return Text(cell) if isinstance(cell, str) else cell


def styled(word: str, text: str | None = None) -> Text:
    """Colour a text by an outcome or a status."""
    return Text(text if text is not None else word, style=STYLES.get(word, ""))
