"""What the kernel's accounts say of a sandbox's processes: time on a core, time waiting for one.

The judge's clock cannot tell a slow operator from a busy machine, nor an idle helper thread from
one that computes ahead; the scheduler's own books can. They are read from outside, by the host's
process ids, where nothing inside the sandbox can write.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_PROC = Path("/proc")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_NS = 1e-9


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """Totals of some processes since each began."""

    cpu_s: float
    """On a core, user and system."""
    waited_s: float
    """Ready to run, while every core was taken."""


def usage(pids: Iterable[int]) -> Usage:
    """Sum over processes, with the threads and children that they outlived."""
    cpu_s = waited_s = 0.0
    for pid in pids:
        folder = _PROC / str(pid)
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (folder / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
            cpu_s += sum(map(int, fields[11:15])) * _TICK_S
        for thread in _threads(pid):
            waited_s += _waited_s(thread)
    return Usage(cpu_s, waited_s)


def thread_waited_s(thread_id: int) -> float:
    """Return how long one thread of this process has waited for a core."""
    return _waited_s(_PROC / "self" / "task" / str(thread_id))


def descendants(pid: int) -> list[int]:
    """Return every process below one, nearest first."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = _children(waiting.pop())
        found += below
        waiting += below
    return found


def processors(pids: Iterable[int]) -> set[int]:
    """Return the processors on which any thread of some processes may run."""
    found: set[int] = set()
    for pid in pids:
        for thread in _threads(pid):
            with contextlib.suppress(OSError, ValueError):
                found |= os.sched_getaffinity(int(thread.name))
    return found


def peak_bytes(pid: int) -> int:
    """Return the most memory a process has held (`VmHWM`), or 0 where it cannot be read."""
    try:
        text = (_PROC / str(pid) / "status").read_text("ascii", "replace")
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB", text, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def kept() -> bool:
    """Say whether this kernel keeps the books."""
    with contextlib.suppress(OSError, ValueError):
        return int((_PROC / "self" / "schedstat").read_text().split()[2]) > 0
    return False


def _waited_s(folder: Path) -> float:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((folder / "schedstat").read_text().split()[1]) * _NS
    return 0.0


def _threads(pid: int) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from (_PROC / str(pid) / "task").iterdir()


def _children(pid: int) -> list[int]:
    found = []
    for folder in _threads(pid):
        with contextlib.suppress(OSError, ValueError):
            found += [int(word) for word in (folder / "children").read_text().split()]
    return found
