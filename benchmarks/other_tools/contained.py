"""Run another tool on a cheat where it can do no harm: inside the judge's own walls."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dougong_ci.sandbox import Mounts, probe
from dougong_ci.sandbox.command import CACHE, arguments
from dougong_ci.sandbox.errors import SandboxError
from dougong_ci.sandbox.seccomp import program
from dougong_ci.sandbox.tier import PROCESSES, memory_file
from dougong_ci.sandbox.uids import Lease

OUT = "/tmp/out"  # noqa: S108 - inside the sandbox, where it is private
_MOST_WORDS = 1 << 20
_LIMITS = (f"--nproc={PROCESSES}", f"--as={16 << 30}", f"--fsize={512 << 20}", "--core=0")


@dataclasses.dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int | None
    """Exit status; None where the time limit ended it."""
    words: str
    """What it wrote to standard error."""
    files: Mapping[str, str]
    """What it left in `OUT`, by name."""


def run(
    command: Sequence[str],
    visible: Sequence[Path],
    *,
    environment: Mapping[str, str],
    timeout_s: float,
) -> Done:
    """Run a command without network or rights, in memory of its own, and kill all of it after.

    Args:
        command: Program and arguments, as seen inside.
        visible: Folders it may read besides the system, Python and its packages.
        environment: Variables besides those of every sandbox.
        timeout_s: After which it is killed.

    Raises:
        SandboxError: this machine allows no sandbox; cheats are not run without one.
    """
    tier = probe()
    if not tier.isolated:
        raise SandboxError(f"cheats are not run outside a sandbox; install bubblewrap ({tier})")
    with contextlib.ExitStack() as stack:
        out = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        uid = stack.enter_context(contextlib.closing(Lease())).uid if tier.drops else None
        if uid is not None:
            os.chown(out, uid, uid)
        start = arguments(tier, Mounts(extra=tuple(visible)))
        start += ["--bind", str(out), OUT, "--perms", "1777", "--dir", CACHE]
        for pair in environment.items():
            start += ["--setenv", *pair]
        inherited = stack.enter_context(_filter()) if tier.filtered else []
        for fd in inherited:
            start += ["--seccomp", str(fd)]
        inside = ["--", *_drop(uid), "prlimit", *_LIMITS, *command]
        status, words = _run([*start, *inside], inherited, timeout_s)
        files = {path.name: path.read_text() for path in out.iterdir() if path.is_file()}
        return Done(status, words, files)


def _drop(uid: int | None) -> list[str]:
    if uid is None:
        return []
    ids = [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return ["setpriv", *ids, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]


@contextlib.contextmanager
def _filter() -> Iterator[list[int]]:
    """Give the descriptor of the filter of system calls."""
    code = program()
    fd = memory_file(code) if code is not None else -1
    try:
        yield [fd] if fd >= 0 else []
    finally:
        if fd >= 0:
            os.close(fd)


def _run(command: list[str], inherited: list[int], timeout_s: float) -> tuple[int | None, str]:
    with tempfile.TemporaryFile() as said:
        try:
            status: int | None = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                timeout=timeout_s,
                pass_fds=inherited,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            status = None
        said.seek(0)
        return status, said.read(_MOST_WORDS).decode("utf-8", "replace")
