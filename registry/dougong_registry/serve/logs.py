"""Log files of children, each held to a size while the child keeps writing to it."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

LIMIT_BYTES = 5_000_000


def open_log(path: Path) -> int:
    """Return a descriptor for a child's stdout and stderr, at the end of the file.

    Append mode is what makes `cap` safe: after truncation the child's next write lands at 0.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def cap(path: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
    """Move a log that has outgrown the limit to `<name>.log.1` and start it anew in place."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > limit_bytes:
            shutil.copyfile(path, path.with_name(f"{path.name}.1"))
            os.truncate(path, 0)


def tail(path: Path, *, lines: int = 8) -> str:
    """Return the last lines of a log, for an error message."""
    with contextlib.suppress(FileNotFoundError):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            text = file.read().decode(errors="replace")
        return "\n".join(line for line in text.splitlines()[-lines:] if line.strip())
    return ""
