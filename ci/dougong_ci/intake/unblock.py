"""When a person must look before any code of a pull request runs, even in the sandbox."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from dougong_ci.intake.git import Change
from dougong_ci.intake.project import WHEELS, Project

_COMPILED = (
    "c",
    "cc",
    "cpp",
    "cxx",
    "h",
    "hpp",
    "cu",
    "cuh",
    "pyx",
    "pxd",
    "rs",
    "s",
    "asm",
    "ptx",
)
_BINARY = ("so", "a", "o", "dll", "dylib", "pyd")
NATIVE = frozenset(f".{suffix}" for suffix in _COMPILED + _BINARY)
_NATIVE_NAMES = frozenset({"CMakeLists.txt", "Makefile", "meson.build", "setup.py", "build.rs"})
_OWNERS, _RELEASE = "plugin.toml", "release.toml"


def reasons(
    *,
    folder: str,
    changes: Sequence[Change],
    before: Project | None,
    after: Project,
    same_contracts: bool,
    first_time: bool,
    is_new: bool,
) -> list[str]:
    """Return why a reviewer must unblock this head; empty where nobody has to.

    Args:
        folder: The plugin's folder.
        changes: Of the pull request.
        before: The project as it was at the base; None where it was not there.
        after: The project at the head.
        same_contracts: Whether its release file names the contracts that it named before.
        first_time: Whether nothing of this author was merged before.
        is_new: Whether the plugin is not known yet.
    """
    found = []
    if first_time:
        found.append("first contribution of its author")
    if is_new:
        found.append("new plugin")
    there = [change for change in changes if change.status != "D"]
    if native := [change.path for change in there if is_native(change.path)]:
        found.append(f"native code: {', '.join(native[:3])}")
    # A new version is said in the release file each time: that alone changes no check.
    checks = {_OWNERS} if same_contracts else {_OWNERS, _RELEASE}
    if changed := [change.path for change in changes if _is_check(change, folder, checks)]:
        found.append(f"changed checks: {', '.join(changed[:3])}")
    if any(change.path == f"contrib/{folder}/{WHEELS}" for change in there):
        found.append(f"changed list of wheels to fetch: {WHEELS}")
    if added := sorted(after.needs - (before.needs if before else _EXPECTED)):
        found.append(f"new dependency: {', '.join(added[:5])}")
    return found


_EXPECTED = frozenset({"dougong", "torch", "hatchling", "pytest"})
"""What the template of `dougong new` asks for."""


def is_native(path: str) -> bool:
    """Whether a file is code that no Python interpreter runs, or that drives its build."""
    file = PurePosixPath(path)
    return file.suffix.lower() in NATIVE or file.name in _NATIVE_NAMES


def _is_check(change: Change, folder: str, files: Collection[str]) -> bool:
    parts = PurePosixPath(change.path).parts[2:]
    in_checks = parts[:1] == ("tests",) or (len(parts) == 1 and parts[0] in files)
    return in_checks and change.status != "A" and change.path.startswith(f"contrib/{folder}/")
