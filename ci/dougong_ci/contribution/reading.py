"""Reading a plugin's folder from disk, by the rules that hold for pull requests too."""

from __future__ import annotations

from pathlib import Path

from dougong.errors import DougongError
from dougong_ci.intake import folder as intake
from dougong_ci.intake.folder import Contribution
from dougong_ci.intake.tables import MAX_BYTES


class ContributionError(DougongError):
    """A plugin's folder does not say what it must; the message has one line a finding."""


def read(folder: Path) -> Contribution:
    """Read and check a plugin's folder. On disk it may have any name.

    Raises:
        ContributionError: names file and line of every field that breaks its rule, one a line.
    """
    files = {name: _head(folder / name) for name in intake.FILES if (folder / name).is_file()}
    there = [*folder.glob("tests/*"), *folder.glob("*")]
    names = {path.relative_to(folder).as_posix() for path in there if path.is_file()}
    found, findings = intake.read(files, names)
    if found is None:
        lines = (f"{folder.name}/{each.path}:{each.line}: {each.message}" for each in findings)
        raise ContributionError("\n".join(lines))
    return found


def _head(path: Path) -> bytes:
    """Return a file, or as much of it as shows that it is too long."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
