"""A plugin's folder as one archive of plain files: written from blobs, and laid out again."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path, PurePosixPath

from dougong_ci.intake import scope
from dougong_ci.intake.git import Repository


def pack(repository: Repository, commit: str, folder: str, target: Path) -> None:
    """Write the files below a folder of a commit as a tar archive, the same bytes every time.

    Raises:
        GitError: a blob is not here.
    """
    entries = repository.entries(commit, folder, scope.MAX_FILES)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    with fresh.open("wb") as file, tarfile.open(fileobj=file, mode="w:") as tar:
        blobs = repository.blobs([entry.oid for entry in entries])
        for entry, data in zip(entries, blobs, strict=True):
            member = tarfile.TarInfo(entry.path.removeprefix(f"{folder}/"))
            member.size = len(data)
            member.mode = 0o755 if entry.mode == "100755" else 0o644
            tar.addfile(member, io.BytesIO(data))
    fresh.replace(target)


def unpack(archive: Path, folder: Path) -> None:
    """Lay an archive out in a new folder: plain files of plain relative names, nothing else.

    Raises:
        ValueError: it holds something else.
    """
    folder.mkdir()
    left_bytes = scope.MAX_TOTAL_BYTES
    with tarfile.open(archive, "r:") as tar:
        for member in tar:
            name = PurePosixPath(member.name)
            if not member.isreg() or name.is_absolute() or ".." in name.parts or not name.parts:
                raise ValueError(f"the sources hold {member.name!r}, which is no plain file")
            left_bytes -= member.size
            source = tar.extractfile(member)
            if left_bytes < 0 or source is None:
                raise ValueError(f"sources may have {scope.MAX_TOTAL_BYTES >> 20} MiB")
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(source.read())
