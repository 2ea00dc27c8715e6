"""The bytes of wheels, by their hash: `$DOUGONG_HOME/artifacts/<first two>/<sha256>`."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

from dougong_registry.problem import Full, Refused, TooLarge, Unavailable

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

STALE_S = 24 * 3600.0
"""An upload that did not grow for so long has nobody to finish it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """Bytes that have arrived and are not kept yet."""

    path: Path
    sha256: str
    size_bytes: int

    def keep(self) -> Path:
        """Move them to their place. Atomic; the same bytes twice are one file."""
        place = path_of(self.sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        self.path.replace(place)
        # The name as well as the bytes must outlive a loss of power: a row is about to name them.
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return place

    def drop(self) -> None:
        """Forget them."""
        self.path.unlink(missing_ok=True)


def root() -> Path:
    """Return the folder of the store."""
    return Path(settings.DOUGONG_HOME) / "artifacts"


def path_of(sha256: str) -> Path:
    """Return where the bytes of this hash lie, or would lie."""
    return root() / sha256[:2] / sha256


def sweep() -> int:
    """Drop what arrived in part and was never kept, because the process that took it died."""
    dropped = 0
    for path in (root() / "incoming").glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()
                dropped += 1
    return dropped


def receive(chunks: Iterable[bytes]) -> Incoming:
    """Write chunks to a file beside the store, hashing them on the way.

    Raises:
        TooLarge: more than `WHEEL_MAX_BYTES`; nothing is left behind.
        Refused: there are no bytes.
        Full: the disk has no room for them; nothing is left behind.
    """
    try:
        return _receive(chunks)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise full() from error
        raise


def receive_exactly(chunks: Iterable[bytes], sha256: str, where: str = "this file") -> Incoming:
    """Receive bytes that must have a hash.

    Raises:
        Unavailable: they have another one; nothing is left behind.
    """
    incoming = receive(chunks)
    if incoming.sha256 != sha256:
        incoming.drop()
        raise Unavailable(
            f"{where} holds bytes of sha256 {incoming.sha256[:12]}, and should hold {sha256[:12]}: "
            "it was changed, and is not used"
        )
    return incoming


def full() -> Full:
    """Say that the disk is full, and that nothing was taken."""
    return Full("the hub's disk is full; nothing was kept. Send the wheel again later")


def _receive(chunks: Iterable[bytes]) -> Incoming:
    folder = root() / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder)
    digest = hashlib.sha256()
    size_bytes = 0
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                size_bytes += len(chunk)
                if size_bytes > settings.WHEEL_MAX_BYTES:
                    raise TooLarge(
                        f"a wheel may have {settings.WHEEL_MAX_BYTES} bytes at most; "
                        "leave data sets and weights out of it"
                    )
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if not size_bytes:
            raise Refused("the upload is empty; send a wheel as the multipart field `wheel`")
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Incoming(path=Path(name), sha256=digest.hexdigest(), size_bytes=size_bytes)
