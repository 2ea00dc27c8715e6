"""The text of `dougong --help`, written without typer: it costs no more than Python itself."""

from __future__ import annotations

import os
import sys

from dougong import __version__
from dougong.cli.commands import COMMANDS, EXTRAS, external, missing


def overview() -> str:
    """Return the help of the whole program: every command in one line, the missing ones as such."""
    added = external()
    known = {name for section in COMMANDS.values() for name in section}
    lines = [
        f"{bold('dougong')} {__version__}  interchangeable neural-network operators for PyTorch",
        "",
        f"{bold('Usage:')} dougong COMMAND [ARGUMENTS]",
    ]
    for heading, section in COMMANDS.items():
        lines += ["", bold(heading)]
        for name, (target, summary) in section.items():
            target = target or added.get(name, "")
            note = missing(target) if target else "missing"
            if note and name in EXTRAS:
                note += f"; pip install 'dougong[{EXTRAS[name]}]'"
            lines.append(_line(name, summary, note))
    if others := sorted(set(added) - known):
        lines += ["", bold("Added by others")]
        lines += [_line(name, added[name], missing(added[name])) for name in others]
    lines += [
        "",
        "dougong COMMAND --help explains a command; dougong --version prints the version.",
    ]
    return "\n".join(lines)


def _line(name: str, summary: str, note: str) -> str:
    return f"  {_style(f'{name:<9}', '36')} {summary}" + (
        _style(f"  ({note})", "31") if note else ""
    )


def bold(text: str) -> str:
    """Make a heading bold where stdout shows colours."""
    return _style(text, "1")


def coloured() -> bool:
    """Whether stdout is a terminal that wants colours (NO_COLOR and FORCE_COLOR are honoured)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (
        sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    )


def _style(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if coloured() else text
