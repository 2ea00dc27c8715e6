"""A wheel from a project's folder: packed by the judge, built by its own code in the sandbox."""

from __future__ import annotations

import os
import re
import socket
import tarfile
from pathlib import Path

from dougong_ci.judge import unpacking
from dougong_ci.judge.unpacking import SubmissionError
from dougong_ci.runner import builder, protocol
from dougong_ci.sandbox import Box, Mounts, Tier, probe
from dougong_ci.sandbox.cache import sealed

_BUILD_S = 300.0
_START_S = 60.0
_WHEEL = re.compile(r"[A-Za-z0-9_.+!-]{1,200}\.whl")
_LEFT_OUT = {"__pycache__", "node_modules", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox"}


def build_wheel(folder: Path, target: Path, tier: Tier | None = None) -> Path:
    """Build the wheel of a project and return its path.

    Nothing of the project runs on the host, and its build reaches no network: build backends must
    be installed where the judge is.

    Args:
        folder: A project with a pyproject.toml.
        target: An existing folder to write the wheel into.
        tier: The sandbox to use; None probes.

    Raises:
        SubmissionError: there is no project, its build failed, or what it needs is not installed.
    """
    if not (folder / "pyproject.toml").is_file():
        raise SubmissionError(f"{folder} has no pyproject.toml, so it is no distribution")
    project, out = os.memfd_create("project"), sealed(unpacking.MAX_BYTES)
    try:
        _pack(folder, project)
        words = _run(tier or probe(), project, out)
        name, size, at = _answer(out, folder, words)
        wheel = target / name
        with wheel.open("xb") as file:
            while size > 0 and (block := os.pread(out, min(size, 1 << 20), at)):
                file.write(block)
                at, size = at + len(block), size - len(block)
        return wheel
    finally:
        os.close(project)
        os.close(out)


def _pack(folder: Path, archive: int) -> None:
    """Write the project's files as they are; links stay links, and lead nowhere over there."""
    files, size = 0, 0

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        nonlocal files, size
        path = folder / member.name
        if path.name in _LEFT_OUT or (path / "pyvenv.cfg").is_file():
            return None
        files, size = files + 1, size + member.size
        if files > unpacking.MAX_FILES or size > unpacking.MAX_BYTES:
            raise SubmissionError(
                f"a project may have {unpacking.MAX_FILES} files and "
                f"{unpacking.MAX_BYTES >> 20} MiB, {folder} has more"
            )
        return member if member.isreg() or member.isdir() or member.issym() else None

    try:
        with (
            os.fdopen(archive, "wb", closefd=False) as file,
            tarfile.open(fileobj=file, mode="w:") as tar,
        ):
            tar.add(folder, arcname=".", filter=kept)
    except OSError as error:
        raise SubmissionError(f"{folder} cannot be read: {error}") from error
    os.lseek(archive, 0, os.SEEK_SET)


def _run(tier: Tier, project: int, out: int) -> str:
    """Have it built; return the last words of the sandbox."""
    judge, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with judge:
        try:
            box = Box(tier, Mounts(), channel=theirs.fileno(), server="builder")
        finally:
            theirs.close()
        try:
            for limit_s, request in ((_START_S, b""), (_BUILD_S, protocol.BUILD)):
                if request:
                    socket.send_fds(judge, [request], [project, out])
                judge.settimeout(limit_s)
                if judge.recv(16) != protocol.OK:
                    break
        except TimeoutError:
            raise SubmissionError(f"the build was not done within {_BUILD_S:g} s") from None
        except OSError:
            pass  # it brought its sandbox down: there will be no answer, which says so
        finally:
            words = protocol.printable(box.log()[-400:], 300)
            box.close()
    return words


def _answer(out: int, folder: Path, words: str) -> tuple[str, int, int]:
    """Return name, size and place of the wheel in the answer, all of it in doubt."""
    what, length, size = builder.HEADER.unpack(os.pread(out, builder.HEADER.size, 0))
    text = os.pread(out, min(length, 2000), builder.HEADER.size).decode("utf-8", "replace")
    if what != builder.BUILT:
        reason = protocol.printable(text, 500) or words or "the build died without a word"
        raise SubmissionError(f"{folder} cannot be built: {reason}")
    at = builder.HEADER.size + length
    if not _WHEEL.fullmatch(text) or not 0 < size <= unpacking.MAX_BYTES - at:
        raise SubmissionError(f"{folder} cannot be built: its backend left no wheel")
    return text, size, at
