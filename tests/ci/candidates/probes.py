"""Looks around inside the sandbox and reports by the only words that get out: an error message."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path


def look(x, weight=None, *, eps):
    raise RuntimeError(json.dumps(found()))


def found():
    return {
        "network": attempt(lambda: socket.create_connection(("1.1.1.1", 53), timeout=2)),
        "interfaces": interfaces(),
        "home": attempt(lambda: list(Path(JUDGE_HOME).iterdir())),
        "write": [
            p for p in ("/usr", "/etc", "/", PLUGIN) if attempt(lambda p=p: touch(p)) == "ok"
        ],
        "tmp": attempt(lambda: touch("/tmp")),
        "env": sorted(set(os.environ) & {"CANARY", "DOUGONG_RUNNER_KEY", "SSH_AUTH_SOCK"}),
        "uid": os.getuid(),
        "pids": len([each for each in Path("/proc").iterdir() if each.name.isdigit()]),
        "shadow": attempt(lambda: Path("/etc/shadow").read_text()),
    }


JUDGE_HOME = "@HOME@"
PLUGIN = str(Path(__file__).parent)


def interfaces():
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    return [line.partition(":")[0].strip() for line in lines]


def touch(folder):
    Path(folder, "touched").write_text("x")


def attempt(act):
    try:
        act()
    except Exception as error:
        return type(error).__name__
    return "ok"
