"""Leaving on SIGTERM: what is being judged is finished, or handed back when there is no time."""

from __future__ import annotations

import os
import threading
import time

from dougong.errors import DougongError

PATIENCE_S = 3600.0


class HandedBack(DougongError):  # noqa: N818 - what happens to the job, and no error of it
    """The machine is being taken down; another one must judge this."""


class Drain:
    """Whether the worker was asked to leave, and how long it may still take."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._deadline = 0.0

    def begin(self) -> None:
        """Take nothing new. Safe in a signal handler."""
        if not self.asked.is_set():
            patience_s = float(os.environ.get("DOUGONG_DRAIN_S") or PATIENCE_S)
            self._deadline = time.monotonic() + patience_s
            self.asked.set()

    def check(self) -> None:
        """Let the judgement go on.

        Raises:
            HandedBack: the worker was asked to leave and its time is over.
        """
        if self.asked.is_set() and time.monotonic() >= self._deadline:
            raise HandedBack("the worker is being taken down")


drain = Drain()
