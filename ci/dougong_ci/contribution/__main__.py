"""`python -m dougong_ci.contribution check|lock|judge FOLDER...`: plugins as folders."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from dougong.errors import DougongError
from dougong_ci.contribution.reading import read

if TYPE_CHECKING:
    from dougong_ci.contribution.judging import Row


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands on each folder.

    Args:
        arguments: Of the command line; None takes the process's own.

    Returns:
        0 where every folder is well-formed, locked or judged; a rejection by the judge is an
        outcome and counts as judged. Otherwise 1.
    """
    parser = argparse.ArgumentParser(prog="python -m dougong_ci.contribution", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="hold plugin.toml and release.toml to their schema")
    lock = commands.add_parser("lock", help="write dependencies.txt from pyproject.toml")
    judge = commands.add_parser("judge", help="judge what has no current verdict in verdicts/")
    for command in (check, lock, judge):
        command.add_argument("folder", nargs="+", type=Path, help="a plugin, or a folder of them")
    judge.add_argument(
        "--profile", default="standard", help="accuracy, quick, first, standard or full"
    )
    judge.add_argument("--again", action="store_true", help="judge whatever is stored")
    options = parser.parse_args(arguments)
    folders = [plugin for folder in options.folder for plugin in plugins(folder)]
    console = Console(highlight=False)
    if options.command == "judge":
        return _judge(folders, options.profile, options.again, console)
    return _each(folders, options.command, console)


def plugins(folder: Path) -> list[Path]:
    """Return the folder itself where it is a project, otherwise the projects in it."""
    if (folder / "pyproject.toml").is_file():
        return [folder.resolve()]
    return sorted(path.parent.resolve() for path in folder.glob("*/pyproject.toml"))


def _each(folders: list[Path], command: str, console: Console) -> int:
    bad = 0
    for folder in folders:
        try:
            if command == "lock":
                from dougong_ci.contribution.locking import lock

                console.print(f"{folder.name}: {len(lock(folder))} wheels listed")
            else:
                found = read(folder)
                console.print(f"{found.plugin} {found.version}: well-formed")
        except DougongError as error:
            bad += 1
            console.print(Text(str(error), style="red"))
    return int(bool(bad) or not folders)


def _judge(folders: list[Path], profile: str, again: bool, console: Console) -> int:
    from dougong_ci import show
    from dougong_ci.contribution.judging import judge_folder
    from dougong_ci.judge import PROFILES

    if profile not in PROFILES:
        console.print(f"--profile must be one of {', '.join(PROFILES)}, got {profile!r}")
        return 2
    rows = []
    for number, folder in enumerate(folders, start=1):
        console.print(Text(f"[{number}/{len(folders)}] {folder.name}", style="bold"))
        begin = time.monotonic()
        with show.progress(quiet=not sys.stderr.isatty()) as display:
            row = judge_folder(folder, profile=profile, again=again, on_event=display.take)
        rows.append(row)
        _print(row, time.monotonic() - begin, console)
    errors = sum(bool(row.error) for row in rows)
    console.print(_total(rows))
    return int(bool(errors) or not rows)


def _print(row: Row, duration_s: float, console: Console) -> None:
    if row.error:
        console.print(Text(f"  no verdict: {row.error}", style="red"))
    for verdict in row.verdicts:
        name = verdict.subject.operator["name"]
        console.print(Text(f"  {verdict.outcome:12} {name}: {verdict.summary}"), soft_wrap=True)
    how = f"{duration_s:.0f} s" if row.judged else "current"
    console.print(Text(f"  {how}", style="dim"))


def _total(rows: list[Row]) -> str:
    outcomes = [str(verdict.outcome) for row in rows for verdict in row.verdicts]
    counts = [f"{outcomes.count(each)} {each}" for each in sorted(set(outcomes))]
    judged, errors = sum(row.judged for row in rows), sum(bool(row.error) for row in rows)
    return (
        f"{len(rows)} plugins, {judged} judged now, {errors} without a verdict; "
        f"{len(outcomes)} operators: {', '.join(counts) or 'none'}"
    )


if __name__ == "__main__":
    sys.exit(main())
