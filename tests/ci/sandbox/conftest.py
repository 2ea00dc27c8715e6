from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

NOBODY = 63_999
# Lets another user reach an interpreter that lies in a home closed to it (root's, say): in a view
# of the mounts that ends with the command.
VIEW = """
set -e
uid=$1; keep=$2; closed=$3; shift 3
mount --make-rprivate /
if [ -n "$closed" ]; then
    hold=$(mktemp -d)
    mount --bind "$keep" "$hold"
    mount -t tmpfs -o mode=755 tmpfs "$closed"
    mkdir -p "$keep"
    mount --move "$hold" "$keep"
    rmdir "$hold"
fi
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all --bounding-set=-all "$@"
"""


@pytest.fixture(scope="session")
def as_ordinary_user() -> Iterator[Callable[[list[str]], list[str]] | None]:
    """Turn a command into an unprivileged user's; None where root cannot lend a hand."""
    if os.getuid() != 0:
        yield lambda command: command
        return
    keep = Path(sys.base_prefix).resolve()
    closed = [p for p in reversed(keep.parents) if not p.stat().st_mode & 0o001]
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        os.chown(home, NOBODY, NOBODY)
        who = [str(NOBODY), str(keep), str(closed[0]) if closed else ""]
        view = ["unshare", "--mount", "sh", "-c", VIEW, "sh", *who]
        view += ["env", f"HOME={home}", f"TMPDIR={home}"]
        tools = all(map(shutil.which, ("unshare", "setpriv", "mount")))
        tried = [*view, sys.executable, "-c", "import torch"]
        works = tools and not subprocess.run(tried, capture_output=True, cwd="/").returncode
        yield (lambda command: [*view, *command]) if works else None
