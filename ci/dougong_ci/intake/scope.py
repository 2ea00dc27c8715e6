"""The first question of a pull request: does it keep to one plugin's folder, and to sizes?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dougong_ci.intake.findings import Finding, StoppedError, lint
from dougong_ci.intake.git import Change, Entry

ROOT = "contrib"
MAX_FILES = 1_000
MAX_FILE_BYTES = 4 << 20
MAX_TOTAL_BYTES = 32 << 20
FOLDER = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SYMLINK, _SUBMODULE, _GONE = "120000", "160000", "000000"
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_.+@ -]+(/[A-Za-z0-9_.+@ -]+)*")
_OURS = (
    ("ci/", "the judge"),
    ("core/dougong/contracts/", "a contract"),
    ("core/", "the core"),
    ("governance/", "the policy"),
    (".github/", "a workflow"),
    ("registry/", "the hub"),
    ("plugins/", "the first-party plugins"),
    ("tests/", "the project's tests"),
)


def plugin_of(changes: Sequence[Change]) -> str:
    """Return the plugin that a pull request submits; empty where it touches no plugin at all.

    Raises:
        StoppedError: it touches other things besides.
    """
    inside = [change for change in changes if change.path.startswith(f"{ROOT}/")]
    if not inside:
        return ""
    if len(changes) > MAX_FILES:
        raise StoppedError(
            lint("size", f"a submission may change {MAX_FILES:,} files, this one changes more")
        )
    folders = sorted({change.path.split("/")[1] for change in inside if change.path.count("/") > 1})
    if outside := [change for change in changes if change not in inside]:
        raise StoppedError(*(_outside(change.path, folders) for change in outside[:50]))
    if loose := [change for change in inside if change.path.count("/") == 1]:
        raise StoppedError(*(_outside(change.path, folders) for change in loose[:50]))
    if len(folders) > 1:
        raise StoppedError(
            lint(
                "scope",
                f"a pull request submits one plugin, this one touches {', '.join(folders[:5])}; "
                "make one for each",
                inside[0].path,
            )
        )
    (folder,) = folders
    if not FOLDER.fullmatch(folder) or len(folder) > 64:
        raise StoppedError(
            lint(
                "name",
                f"a plugin's folder is its name in lower case with single hyphens, got {folder!r}",
                inside[0].path,
            )
        )
    return folder


def _outside(path: str, folders: Sequence[str]) -> Finding:
    own = f"{ROOT}/{folders[0]}/" if folders else f"{ROOT}/<plugin>/"
    what = next((name for start, name in _OURS if path.startswith(start)), "a file of the project")
    return lint(
        "scope",
        f"a submission changes its own folder {own} only, and this one edits {what} ({path!a}); "
        "put that into a pull request of its own",
        path,
    )


def check_files(entries: Sequence[Entry]) -> list[Finding]:
    """Return what is wrong with the names, kinds and sizes of a plugin's files."""
    if len(entries) > MAX_FILES:
        return [lint("size", f"a plugin may have {MAX_FILES:,} files, this one has more")]
    total = sum(entry.size_bytes for entry in entries)
    if total > MAX_TOTAL_BYTES:
        limit = f"{MAX_TOTAL_BYTES >> 20} MiB"
        return [lint("size", f"a plugin's sources may have {limit}, these have {total:,} bytes")]
    found: list[Finding] = []
    known: dict[str, str] = {}
    for entry in entries:
        found += _check_file(entry)
        other = known.setdefault(entry.path.casefold(), entry.path)
        if other != entry.path:
            found.append(
                lint("name", f"{entry.path} and {other} are one file on some systems", entry.path)
            )
    return found


def _check_file(entry: Entry) -> list[Finding]:
    path = entry.path
    if entry.mode == _SYMLINK:
        return [lint("symlink", f"{path} is a symbolic link; put the file itself there", path)]
    if entry.mode == _SUBMODULE:
        return [lint("submodule", f"{path} is a submodule; depend on a package instead", path)]
    parts = path.split("/")
    if not _PLAIN_PATH.fullmatch(path) or any(part.strip(". ") == "" for part in parts):
        return [lint("name", f"{path!a} is no plain name: use letters, digits and . _ - + @", path)]
    if entry.size_bytes > MAX_FILE_BYTES:
        limit = f"{MAX_FILE_BYTES >> 20} MiB"
        return [
            lint("size", f"{path} has {entry.size_bytes:,} bytes, a file may have {limit}", path)
        ]
    return []
