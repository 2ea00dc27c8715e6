"""An export as one tar, sent while it is read: made first, so that no slow reader holds a snapshot.

The wheels stay out: each has an address of its own by its hash, and never changes.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from dougong_registry.exports import manifest
from dougong_registry.exports.outgoing import export_write

FOLDER = "dougong-export"
CHUNK_BYTES = 1 << 16
STALE_S = 24 * 3600.0
"""What is left of a process that was killed while it sent is removed after so long."""
_PREFIX = ".export-"


class ExportTar:
    """The tar of an export: iterate for its bytes, close it to remove what they are read from."""

    def __init__(self) -> None:
        """Write the tables and the manifest to a folder beside the store.

        Raises:
            Refused: the audit log is broken.
        """
        settings.DOUGONG_HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in settings.DOUGONG_HOME.glob(f"{_PREFIX}*"):
            if time.time() - left.stat().st_mtime > STALE_S:
                shutil.rmtree(left, ignore_errors=True)
        self._scratch = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=settings.DOUGONG_HOME)
        try:
            self._root = Path(self._scratch.name) / FOLDER
            export_write(out=self._root, with_artifacts=False)
            self._files = sorted(path for path in self._root.rglob("*") if path.is_file())
            self.digest = manifest.digest_of(self._root / manifest.NAME)
        except BaseException:
            self.close()
            raise

    @property
    def size_bytes(self) -> int:
        """How many bytes iterating gives."""
        blocks = (len(self._header(path)) + _padded(path.stat().st_size) for path in self._files)
        return sum(blocks) + 2 * tarfile.BLOCKSIZE

    def __iter__(self) -> Iterator[bytes]:
        """Yield the tar; the same hub gives the same bytes."""
        for path in self._files:
            yield self._header(path)
            with path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
            size_bytes = path.stat().st_size
            yield bytes(_padded(size_bytes) - size_bytes)
        yield bytes(2 * tarfile.BLOCKSIZE)

    def close(self) -> None:
        """Remove the files; again changes nothing."""
        self._scratch.cleanup()

    def _header(self, path: Path) -> bytes:
        entry = tarfile.TarInfo(str(path.relative_to(self._root.parent)))
        entry.size, entry.mode = path.stat().st_size, 0o644
        return entry.tobuf(tarfile.PAX_FORMAT)


def _padded(size_bytes: int) -> int:
    return -(-size_bytes // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
