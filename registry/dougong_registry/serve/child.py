"""One supervised process: how it is started, how it is ended."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from dougong_registry.serve import logs
from dougong_registry.serve.tether import tether

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 10.0
_SETTLED_S = 10.0
"""A process that ran this long was well: its next death is the first again."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spec:
    """What to run."""

    name: str
    """`web`, `queue`, `worker-1`...: also the name of the log file."""
    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: Path
    cwd: Path
    grace_s: float = 5.0
    """How long it may take to end on SIGTERM before it is killed."""
    descriptors: tuple[int, ...] = ()
    """Open descriptors it inherits (the listening socket)."""
    stale: tuple[Path, ...] = ()
    """Files of an earlier life to remove before each start (a socket nobody listens on)."""


class Child:
    """A process in a session of its own: Ctrl-C in the terminal reaches the supervisor only."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.restarts = 0
        self._failures = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_at = 0.0

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process; call from the main thread (see `tether`)."""
        for path in self.spec.stale:
            path.unlink(missing_ok=True)
        output = logs.open_log(self.spec.log)
        try:
            self._process = subprocess.Popen(
                self.spec.argv,
                env=dict(self.spec.env),
                cwd=self.spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=self.spec.descriptors,
                preexec_fn=tether(),
            )
        finally:
            os.close(output)
        self._started_at = time.monotonic()

    def reap(self) -> int | None:
        """Return the exit status if the process has just ended, and bury its whole group."""
        if self._process is None or (status := self._process.poll()) is None:
            return None
        self.kill()
        self._process = None
        settled = time.monotonic() - self._started_at > _SETTLED_S
        self._failures = 1 if settled else self._failures + 1
        delay_s = min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 4.0 ** (self._failures - 1))
        self._start_at = time.monotonic() + delay_s
        return status

    def restart_if_due(self) -> bool:
        """Start the process again once its back-off is over."""
        if self._process is not None or time.monotonic() < self._start_at:
            return False
        self.start()
        self.restarts += 1
        return True

    def terminate(self) -> None:
        """Ask the leader to end: servers pass the wish on to their own workers."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End the process and everything in its group, at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def ended(self, *, within_s: float) -> bool:
        """Wait for the end of the process."""
        if self._process is None:
            return True
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True
