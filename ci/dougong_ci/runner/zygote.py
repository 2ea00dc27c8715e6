"""A process with torch loaded and no foreign code, which forks one child an operator.

Importing torch costs seconds, a fork costs milliseconds; a fork is as fresh as an exec as long as
no untrusted code ever ran here and no thread pool was started, which is why one thread is set and
nothing is computed. The zygote also freezes and kills everything else in its sandbox on request,
because from inside the process namespace one call reaches every process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
import warnings
from pathlib import Path
from typing import Any

from dougong_ci.runner import protocol
from dougong_ci.runner.keeping import Keeper
from dougong_ci.runner.watching import Watch

_MESSAGE_BYTES = 16
_PR_SET_PDEATHSIG = 1


def main(settings: dict[str, Any]) -> None:
    """Load torch, say ready, and serve the judge until it closes the socket.

    Args:
        settings: `fd`: the judge's socket. `isolated`: in a process namespace of its own, where
            "every process" is the operator's. `judged_path`: module folders that only its
            operators see. `cpu`: the one CPU its children run on, or None;
            loading torch may use all. `cache`: folder to pack and unpack, or None.
            `memory_bytes`: what the operator's processes may use, counted here, or None where the
            kernel counts; `memory_files`: folders whose files are memory too.
    """
    import torch

    from dougong_ci.runner import serve

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    judge = socket.socket(fileno=settings["fd"])
    zygote = Zygote(settings["isolated"], settings["cpu"])
    keeper = Keeper(Path(settings["cache"])) if settings["cache"] else None
    limit = settings["memory_bytes"]
    watch = Watch(limit, settings["memory_files"]) if limit else None
    judge.sendall(protocol.OK)
    while True:
        _wait(judge, zygote, watch)
        message, fds, _, _ = socket.recv_fds(judge, _MESSAGE_BYTES, 2)
        if not message:
            zygote.signal(signal.SIGKILL)
            sys.exit(0)
        if message == protocol.SPAWN and zygote.spawn():
            judge.close()
            # Only now, and last: torch tries modules that may be absent, and a submission that
            # has one of that name must not be loaded before the fork.
            sys.path.extend(settings["judged_path"])
            serve.main(*fds)
        elif message == protocol.FREEZE:
            zygote.signal(signal.SIGSTOP)
        elif message == protocol.THAW:
            zygote.signal(signal.SIGCONT)
        elif message == protocol.KILL:
            zygote.signal(signal.SIGKILL)
        elif message == protocol.PRELOAD:
            _preload_compiler()
        answer = protocol.OK
        if message == protocol.UNPACK and keeper:
            keeper.unpack(fds[0])
        elif message == protocol.PACK and not (keeper and keeper.pack(fds[0])):
            answer = protocol.NOTHING
        for each in fds:
            os.close(each)
        judge.sendall(answer)


def _wait(judge: socket.socket, zygote: Zygote, watch: Watch | None) -> None:
    """Sleep until the judge says something; meanwhile look after memory where nobody else does."""
    if watch is None:
        return
    poll = select.poll()
    poll.register(judge, select.POLLIN)
    while not poll.poll(watch.PERIOD_MS):
        if zygote.occupied and watch.exceeded():
            zygote.signal(signal.SIGKILL)


class Zygote:
    """The one child that may live at a time, and the power over it."""

    def __init__(self, isolated: bool, cpu: int | None) -> None:
        self._isolated = isolated
        self._cpu = cpu
        self._child = 0

    @property
    def occupied(self) -> bool:
        """Whether an operator's process was started and not yet killed."""
        return bool(self._child)

    def spawn(self) -> bool:
        """Fork; return True in the child. Whatever lived before is killed."""
        self.signal(signal.SIGKILL)
        self._child = os.fork()
        if self._child:
            return False
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.setsid()
        if self._cpu is not None:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, {self._cpu})
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        os.close(quiet)
        return True

    def signal(self, which: signal.Signals) -> None:
        """Signal every process of the operator; after a kill, wait for the child."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._isolated:
                os.kill(-1, which)  # everything here but init and this process
            elif self._child:
                os.killpg(self._child, which)
        if which == signal.SIGKILL and self._child:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._child, 0)
            self._child = 0


def _preload_compiler() -> None:
    """Import what torch.compile needs, once for all operators that say they need a compiler."""
    with contextlib.suppress(Exception):
        import torch._dynamo
        import torch._inductor.compile_fx  # noqa: F401 - imported for its side effect: being loaded
