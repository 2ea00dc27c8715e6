"""Memory of a sandbox, summed up from inside where no control group counts it.

What counts: private memory and shared mappings of every process but this one, files in memory, and
a kilobyte for each of their names. Libraries count once on the machine and are left out.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_INODE_BYTES = 1024
_MEASURED = ("RssAnon:", "RssShmem:")


class Watch:
    """A limit on the sum, to be looked at ever so often."""

    PERIOD_MS = 200

    def __init__(self, limit_bytes: int, folders: list[str]) -> None:
        self._limit_bytes = limit_bytes
        self._folders = folders

    def exceeded(self) -> bool:
        """Say whether the sandbox holds more than it may."""
        return self.used_bytes() > self._limit_bytes

    def used_bytes(self) -> int:
        """Return what the sandbox holds now."""
        return sum(map(_files_bytes, self._folders)) + sum(
            _process_bytes(entry)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and int(entry.name) != os.getpid()
        )


def _process_bytes(entry: Path) -> int:
    with contextlib.suppress(OSError):  # it may have ended meanwhile
        lines = (
            line.split() for line in (entry / "status").read_text("ascii", "replace").splitlines()
        )
        return sum(int(line[1]) << 10 for line in lines if line and line[0] in _MEASURED)
    return 0


def _files_bytes(folder: str) -> int:
    about = os.statvfs(folder)
    blocks = (about.f_blocks - about.f_bfree) * about.f_frsize
    return blocks + (about.f_files - about.f_ffree) * _INODE_BYTES
