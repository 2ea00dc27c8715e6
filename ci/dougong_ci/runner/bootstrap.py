"""First code inside the sandbox: give up every right, then serve the judge.

Run by path with `python -I -S`; standard library only until the rights are gone. Its one argument
is JSON, made by `dougong_ci.sandbox.box`: `fd` (the judge's socket), `server` (the module to run),
`path`, `uid`, `limits`, and what the server is told besides.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_LAST_CAPABILITY = 63


def main() -> None:
    """Drop rights, set limits and the module path, then serve until the judge closes."""
    settings = json.loads(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _drop(libc, settings["uid"])
    # Unreadable to the operator's processes, which have the same uid: no ptrace, no /proc/PID/mem.
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    for name, value in settings["limits"].items():
        _limit(getattr(resource, name), value)
    # `-I -S` leaves the standard library only; what is judged is added later, by the server.
    sys.path.extend(settings["path"])
    server = importlib.import_module(f"dougong_ci.runner.{settings['server']}")
    server.main(settings)


def _drop(libc: ctypes.CDLL, uid: int | None) -> None:
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if uid is not None and os.getuid() == 0:
        for capability in range(_LAST_CAPABILITY + 1):
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # cleared by the change of uid


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    main()
