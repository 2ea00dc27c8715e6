"""What a candidate's compilers left behind, carried from one of its sandboxes to the next.

Inside, the cache is memory of the sandbox. Before a sandbox ends it packs its cache into a file in
memory that the judge made and whose size nobody can change; the next one unpacks it. The judge
hands the file on and never looks into it, so there is nothing of the candidate's on the host's
disk, nothing to follow, and nothing to parse.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Self

MAX_BYTES = 512 << 20
"""A bigger cache is not kept: the next sandbox compiles again."""


class Cache:
    """The caches of one candidate's sandboxes; two may run at a time."""

    def __init__(self) -> None:
        self._archives: list[int] = []
        self._lock = threading.Lock()
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        """A folder of the host's, for the tier that isolates nothing."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="dougong-cache-"))
        return self._folder

    def archives(self) -> tuple[int, ...]:
        """Return the descriptors of what was kept, in the order to unpack them."""
        with self._lock:
            return tuple(self._archives)

    def keep(self, archive: int, instead_of: tuple[int, ...]) -> None:
        """Keep what a sandbox packed, which holds what was unpacked there.

        Args:
            archive: Descriptor, from now on this object's to close.
            instead_of: What `archives` gave when that sandbox started.
        """
        with self._lock:
            for old in {*instead_of} & {*self._archives}:
                self._archives.remove(old)
                os.close(old)
            self._archives.append(archive)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            for archive in self._archives:
                os.close(archive)
            self._archives.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def sealed(size: int) -> int:
    """Make a nameless file in memory of a size nobody can change; return its descriptor."""
    fd = os.memfd_create("dougong", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd
