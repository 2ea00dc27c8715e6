"""One control group a sandbox: what it may use, what it did use, in the kernel's own count.

Both generations: v1, where every controller has a tree of its own, and v2, where one tree has all.
Groups are made below the judge's own group, so that limits around the judge go on holding, or
(v2 only, where a group with processes may not share out its controllers) beside it. Which folders
serve is found by making a group there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dougong_ci.sandbox.errors import SandboxError

_PREFIX = "dougong-"
_NEEDED = ("memory", "pids")
_USEFUL_V1 = ("cpuacct", "cpu")
_YOUNG_S = 60.0
_count = itertools.count()


@dataclasses.dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where groups can be made: for each controller a folder. In v2 all are the same."""

    version: int
    folders: dict[str, Path] = dataclasses.field(hash=False)

    def __str__(self) -> str:
        """Return what a verdict says of it."""
        return f"cgroup v{self.version} {'+'.join(self.folders)}"


class Group:
    """A group for one sandbox, made before its first process."""

    def __init__(self, hierarchy: Hierarchy, *, memory_bytes: int, processes: int) -> None:
        """Make it and set its limits.

        Args:
            hierarchy: From `find`.
            memory_bytes: All memory, files in memory and the kernel's own included.
            processes: Threads counted as processes.

        Raises:
            SandboxError: the kernel refused.
        """
        name = f"{_PREFIX}{os.getpid()}-{_started(os.getpid())}-{next(_count)}"
        self._version = hierarchy.version
        self._folders = {key: base / name for key, base in hierarchy.folders.items()}
        limits = _limits(self._version, memory_bytes, processes)
        try:
            for folder in self.folders:
                folder.mkdir()
            for controller, file, value in limits:
                _write(self._folders[controller] / file, value)
            # Swap has a limit only where the kernel accounts for it.
            swap = "memory.memsw.limit_in_bytes" if self._version == 1 else "memory.swap.max"
            if (path := self._folders["memory"] / swap).exists():
                _write(path, memory_bytes if self._version == 1 else 0)
        except OSError as error:
            self.close()
            raise SandboxError(f"no control group can be made: {error}") from error

    @property
    def folders(self) -> list[Path]:
        """Its folders, each once."""
        return list(dict.fromkeys(self._folders.values()))

    @property
    def doors(self) -> list[str]:
        """Files into which a process writes its id to join."""
        return [str(folder / "cgroup.procs") for folder in self.folders]

    def cpu_time_s(self) -> float | None:
        """Return the processor time of everything that ever ran inside, in seconds."""
        if self._version == 1:
            nanoseconds = self._number("cpuacct", "cpuacct.usage")
            return None if nanoseconds is None else nanoseconds / 1e9
        for line in _read(self._folders["memory"] / "cpu.stat").splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) / 1e6
        return None

    def peak_memory_bytes(self) -> int | None:
        """Return the most memory ever in use inside at once; None on kernels that keep none."""
        file = "memory.max_usage_in_bytes" if self._version == 1 else "memory.peak"
        return self._number("memory", file)

    def close(self) -> None:
        """Kill what is left, wait until the kernel has buried it, and remove the group."""
        deadline = time.monotonic() + 5.0
        patience = time.monotonic() + 0.2
        while (left := self._processes()) and time.monotonic() < deadline:
            if time.monotonic() > patience:
                for pid in left:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
            time.sleep(1e-3)
        for folder in self.folders:
            # What cannot be removed now is swept by the next judge.
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _processes(self) -> list[int]:
        texts = [_read(folder / "cgroup.procs") for folder in self.folders]
        return [int(pid) for text in texts for pid in text.split()]

    def _number(self, controller: str, file: str) -> int | None:
        folder = self._folders.get(controller)
        text = _read(folder / file).strip() if folder else ""
        return int(text) if text.isdigit() else None


def find() -> Hierarchy | None:
    """Return where groups can be made, or None; leftovers of dead judges are removed."""
    for hierarchy in _candidates():
        for folder in dict.fromkeys(hierarchy.folders.values()):
            _sweep(folder)
        if _works(hierarchy):
            return hierarchy
    return None


def _candidates() -> Iterator[Hierarchy]:
    mounted = _mounted()
    if set(_NEEDED) <= mounted.keys():
        names = [*_NEEDED, *(name for name in _USEFUL_V1 if name in mounted)]
        yield Hierarchy(1, {name: mounted[name][1] for name in names})
    if "" in mounted:
        top, own = mounted[""]
        while own.is_relative_to(top):
            yield Hierarchy(2, dict.fromkeys((*_NEEDED, *_shared(own)), own))
            own = own.parent


def _shared(folder: Path) -> list[str]:
    """Hand controllers on to groups below (v2); return the useful ones that now are."""
    for name in (*_NEEDED, "cpu"):
        # Refused where processes sit in the group itself, and needless where it is done already.
        with contextlib.suppress(OSError):
            _write(folder / "cgroup.subtree_control", f"+{name}")
    return [name for name in _read(folder / "cgroup.subtree_control").split() if name == "cpu"]


def _works(hierarchy: Hierarchy) -> bool:
    try:
        Group(hierarchy, memory_bytes=1 << 30, processes=16).close()
    except SandboxError:
        return False
    return True


def _mounted() -> dict[str, tuple[Path, Path]]:
    """Return for each v1 controller, and for v2 under "", its mount point and our own folder."""
    groups = [line.split(":", 2) for line in _read(Path("/proc/self/cgroup")).splitlines()]
    ours = {name: path for _, names, path in groups for name in names.split(",")}
    found: dict[str, tuple[Path, Path]] = {}
    for line in _read(Path("/proc/self/mountinfo")).splitlines():
        before, _, after = line.partition(" - ")
        root, top = before.split()[3:5]
        kind, _, options = after.split()[:3]
        names = {"cgroup": options.split(","), "cgroup2": [""]}.get(kind, [])
        for name in names:
            if name in ours:
                found.setdefault(name, (Path(top), Path(top) / _below(ours[name], root)))
    return found


def _below(path: str, root: str) -> PurePosixPath:
    """Return a group's path within a mount that shows the tree from `root` on."""
    whole = PurePosixPath(path)
    return whole.relative_to(root if whole.is_relative_to(root) else "/")


def _limits(version: int, memory_bytes: int, processes: int) -> list[tuple[str, str, int]]:
    memory = "memory.limit_in_bytes" if version == 1 else "memory.max"
    return [("memory", memory, memory_bytes), ("pids", "pids.max", processes)]


def _sweep(folder: Path) -> None:
    """Remove groups of judges that are gone; one in use refuses, one just made is let be."""
    with contextlib.suppress(OSError):
        for group in folder.glob(f"{_PREFIX}*"):
            pid, _, rest = group.name.removeprefix(_PREFIX).partition("-")
            alive = pid.isdigit() and _started(int(pid)) == rest.partition("-")[0]
            if not alive and time.time() - group.stat().st_mtime > _YOUNG_S:
                with contextlib.suppress(OSError):
                    group.rmdir()


def _started(pid: int) -> str:
    """Return when a process started, in the kernel's ticks; with its id that names it for good."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""


def _write(path: Path, value: object) -> None:
    # Not made where it is missing: then the kernel has no such limit, and that must be known.
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, str(value).encode())
    finally:
        os.close(fd)
