"""A child that cannot outlive its supervisor, however the supervisor ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_EXIT_UNTETHERED = 127


# Looked up once, here: between fork and exec nothing may be imported.
_prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def tether_self(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends; leave at once if it has ended.

    Does nothing where the kernel cannot do it (only Linux can).
    """
    if _prctl is None:
        return
    if _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        os._exit(_EXIT_UNTETHERED)
    # The parent may have died between fork and prctl: then no signal would ever come.
    if os.getppid() != parent_pid:
        os._exit(_EXIT_UNTETHERED)


def tether() -> Callable[[], None]:
    """Return what a child must run between fork and exec (`subprocess.Popen(preexec_fn=...)`).

    The kernel sends the signal when the *thread* that forked ends, so call Popen from a thread that
    lives as long as the process: the main one.
    """
    parent_pid = os.getpid()
    return lambda: tether_self(parent_pid)
