"""A user of its own for every sandbox, because process limits and signals count by user.

A lease is a locked file under `/run`, or in the temporary folder where that is read-only, so that
two judges on one machine never share a user; the kernel gives it back when its holder ends,
however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dougong_ci.sandbox.errors import SandboxError

FIRST, COUNT = 64001, 512
"""These belong to nobody on ordinary machines."""
_FOLDERS = (Path("/run/dougong/uids"), Path(tempfile.gettempdir(), "dougong-uids"))


class Lease:
    """One uid, ours until closed."""

    def __init__(self, *folders: Path) -> None:
        """Take the first that is free.

        Args:
            folders: Where the locks lie, the first that can be made; only root may write there.

        Raises:
            SandboxError: all are taken, or the folder cannot be trusted.
        """
        folder = _ours(folders or _FOLDERS)
        for uid in range(FIRST, FIRST + COUNT):
            self._lock = os.open(folder / str(uid), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self.uid = uid
                return
            os.close(self._lock)
        raise SandboxError(f"all {COUNT} users for sandboxes are taken; see {folder}")

    def close(self) -> None:
        """Give it back."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _ours(folders: Sequence[Path]) -> Path:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                raise SandboxError(f"{folder} must belong to the judge's own user; remove it")
            return folder
    raise SandboxError(f"none of {', '.join(map(str, folders))} can be made; make one writable")
