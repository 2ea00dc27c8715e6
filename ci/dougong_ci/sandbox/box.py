"""One running sandbox: its user, its control group, its processes, and what is left of them."""

from __future__ import annotations

import json
import os
import subprocess

from dougong_ci.sandbox.cache import sealed
from dougong_ci.sandbox.cgroup import Group
from dougong_ci.sandbox.command import (
    CACHE,
    SHARED_MEMORY,
    TMP,
    Mounts,
    arguments,
    environment,
    judged_path,
    packages,
    trusted_path,
)
from dougong_ci.sandbox.seccomp import program
from dougong_ci.sandbox.tier import PROCESSES, SandboxError, Tier, interpreter, memory_file
from dougong_ci.sandbox.uids import Lease

_LIMITS = {
    "RLIMIT_AS": 16 << 30,
    "RLIMIT_FSIZE": 512 << 20,
    "RLIMIT_CPU": 1200,
    "RLIMIT_NOFILE": 1024,
    "RLIMIT_NPROC": PROCESSES,
    "RLIMIT_CORE": 0,
}
_LOG_BYTES = 64 << 10
# Joins before there is anything that could stay outside, and asks to be the first to go where the
# host runs out of memory. Needs neither a fork of this process nor code between fork and exec.
_JOIN = """
echo 1000 >/proc/$$/oom_score_adj
while [ "$1" != -- ]; do echo $$ >"$1" || exit 125; shift; done
shift
exec "$@"
"""


class Box:
    """A running server inside a sandbox. Close it, or leave the `with`, to kill all of it."""

    def __init__(
        self,
        tier: Tier,
        mounts: Mounts,
        *,
        channel: int,
        cpu: int | None = None,
        server: str = "zygote",
        gpu: bool = False,
    ) -> None:
        """Start it.

        Args:
            tier: From `probe`.
            mounts: What it may see.
            channel: File descriptor of the server's end of the judge's socket.
            cpu: The one CPU to run on, or None.
            server: Module of `dougong_ci.runner` whose `main` serves the judge.
            gpu: Whether it may use the machine's CUDA devices.

        Raises:
            SandboxError: no user or no control group is to be had.
        """
        self._log = sealed(_LOG_BYTES)
        self._lease = Lease() if tier.drops else None
        self._group: Group | None = None
        try:
            if tier.groups is not None:
                self._group = Group(
                    tier.groups, memory_bytes=tier.memory_bytes, processes=PROCESSES
                )
            settings = _settings(tier, mounts, channel, cpu, gpu=gpu) | {
                "server": server,
                "uid": self._lease.uid if self._lease else None,
            }
            self._process = self._start(tier, mounts, settings, gpu=gpu)
        except BaseException:
            self._release()
            raise

    def _start(
        self, tier: Tier, mounts: Mounts, settings: dict[str, object], *, gpu: bool
    ) -> subprocess.Popen[bytes]:
        bootstrap = packages()[1] / "runner" / "bootstrap.py"
        command = [interpreter(), "-I", "-S", "-B", str(bootstrap), json.dumps(settings)]
        inherited = [int(str(settings["fd"]))]
        code = program() if tier.filtered else None
        if tier.isolated:
            filters: list[str] = []
            if code is not None:
                inherited.append(memory_file(code))
                filters = ["--seccomp", str(inherited[-1])]
            doors = self._group.doors if self._group else []
            join = ["/bin/sh", "-c", _JOIN, "sh", *doors, "--"]
            command = [*join, *arguments(tier, mounts, gpu=gpu), *filters, "--", *command]
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                env=environment(tier, mounts),
                cwd="/",
                pass_fds=inherited,
            )
        finally:
            for fd in inherited[1:]:
                os.close(fd)

    @property
    def pid(self) -> int:
        """Process id of the outermost process, on the host."""
        return self._process.pid

    def cpu_time_s(self) -> float | None:
        """Return processor time used by everything inside so far, in seconds.

        None where there is no control group to count it.
        """
        return self._group.cpu_time_s() if self._group else None

    def peak_memory_bytes(self) -> int | None:
        """Return the most memory in use inside at once so far, the loaded torch included.

        None where there is no control group to count it.
        """
        return self._group.peak_memory_bytes() if self._group else None

    def log(self) -> str:
        """Return the words of the server, for the reason of a failed start."""
        return os.pread(self._log, _LOG_BYTES, 0).rstrip(b"\0").decode("utf-8", "replace")

    def close(self) -> None:
        """Kill everything inside and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        self._release()

    def _release(self) -> None:
        """Give back what the box had; its user last, when nobody is left to be counted."""
        if self._group is not None:
            self._group.close()
        if self._lease is not None:
            self._lease.close()
        if self._log >= 0:
            os.close(self._log)
            self._log = -1


def _settings(
    tier: Tier, mounts: Mounts, channel: int, cpu: int | None, *, gpu: bool
) -> dict[str, object]:
    limits = dict(_LIMITS)
    if gpu:
        # The driver reserves addresses for all memory of host and device, terabytes of them.
        del limits["RLIMIT_AS"]
    if not tier.counted:
        # Counted per user: outside a fresh uid it would count the author's whole desktop.
        del limits["RLIMIT_NPROC"]
    watched = tier.isolated and tier.groups is None
    return {
        "fd": channel,
        "path": trusted_path(),
        "judged_path": judged_path(mounts),
        "limits": limits,
        "isolated": tier.isolated,
        "cpu": cpu,
        "cache": CACHE if tier.isolated and mounts.cache else None,
        # Where the kernel does not count the sandbox's memory, its server does.
        "memory_bytes": tier.memory_bytes if watched else None,
        "memory_files": [TMP, SHARED_MEMORY],
    }


__all__ = ["Box", "Mounts", "SandboxError"]
