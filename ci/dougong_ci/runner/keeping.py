"""The sandbox's cache of compiled kernels, packed for the next sandbox and unpacked from the last.

Runs in a child of the zygote while no operator lives. The archive came from this candidate's own
earlier sandbox, so whatever it does to this process it could do anyway; the zygote never reads it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tarfile
from collections.abc import Callable
from pathlib import Path

_MOST_FILES = 20_000
_MOST_S = 20

Listing = frozenset[tuple[str, int, int]]


class Keeper:
    """Carries one folder in and out of archives, and notes whether it changed meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._before: Listing = frozenset()

    def unpack(self, archive: int) -> bool:
        """Lay what was packed into the folder; say whether it went well."""
        done = _in_child(lambda: self._unpack(archive))
        self._before = self._listing()
        return done

    def pack(self, archive: int) -> bool:
        """Write the folder into an archive; say whether there is anything new in it."""
        now = self._listing()
        if now == self._before or len(now) > _MOST_FILES:
            return False
        return _in_child(lambda: self._pack(archive))

    def _unpack(self, archive: int) -> None:
        with os.fdopen(archive, "rb", closefd=False) as file:
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:") as tar:
                tar.extraction_filter = as_it_is
                for member in tar:
                    tar.extract(member, self._folder, set_attrs=not member.isdir())

    def _pack(self, archive: int) -> None:
        with os.fdopen(archive, "wb", closefd=False) as file:
            file.seek(0)
            with tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT) as tar:
                tar.add(self._folder, arcname=".", filter=_plain)

    def _listing(self) -> Listing:
        """Return name, size and time of every file, of a few too many at most."""
        found = set()
        for folder, _, names in os.walk(self._folder):
            for name in names:
                with contextlib.suppress(OSError):
                    about = (path := Path(folder, name)).lstat()
                    found.add((str(path), about.st_size, about.st_mtime_ns))
                if len(found) > _MOST_FILES:
                    return frozenset(found)
        return frozenset(found)


def as_it_is(member: tarfile.TarInfo, _: str) -> tarfile.TarInfo:
    """Unpack without tarfile's own second thoughts, which differ from Python to Python.

    In here they would guard the sandbox from itself.
    """
    return member


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return member if member.isreg() or member.isdir() else None


def _in_child(work: Callable[[], None]) -> bool:
    child = os.fork()
    if not child:
        signal.alarm(_MOST_S)
        try:
            work()
        # Anything may be in the folder; the child says by its status only that it failed.
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0
