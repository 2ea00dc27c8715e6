"""One sandbox: a bubblewrap command line, started with a private /tmp and an empty environment.

Only what Python and a compiler need is bound, read-only. `seccomp` is the seam for the filter of
tier T3: the bytes of a BPF program, handed to bubblewrap by file descriptor.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import IO

import dougong
import dougong_ci
from dougong_ci.sandbox.tier import SandboxError, Tier, namespaces

_HOST = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin")
_HOST_TRY = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
)
_TMP_BYTES = 1 << 30
_CACHE = "/tmp/cache"  # noqa: S108 - inside the sandbox, where /tmp is private
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108 - inside the sandbox
    "TMPDIR": "/tmp",  # noqa: S108 - inside the sandbox
    "USER": "operator",
    "LOGNAME": "operator",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XDG_CACHE_HOME": _CACHE,
    # Keep freed memory: whether a heap gives it back, to be faulted in again page by page at the
    # next call, hangs on its layout and makes equal processes differ sevenfold.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    # Give an aligned buffer the same place at every call: its freed edges are not cached apart from
    # it, so that it can be whole again. Otherwise some processes walk over three buffers in turn,
    # up to 30 % slower, and which ones do hangs on what they imported.
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0",
    "TORCHINDUCTOR_CACHE_DIR": f"{_CACHE}/inductor",
    "TRITON_CACHE_DIR": f"{_CACHE}/triton",
    # Compile in the process itself: worker pools would outlive the fork and fight for two cores.
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    # Believe the processor's flags: the probe compiles and runs a program in each fresh process,
    # which costs 5 s of every restart.
    "TORCHINDUCTOR_VEC_ISA_OK": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
_LIMITS = {
    "RLIMIT_AS": 16 << 30,
    "RLIMIT_FSIZE": 512 << 20,
    "RLIMIT_CPU": 1200,
    "RLIMIT_NOFILE": 1024,
    "RLIMIT_NPROC": 256,
    "RLIMIT_CORE": 0,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Mounts:
    """What a box sees besides the system and Python."""

    plugin: Path | None = None
    """Folder of the unpacked distribution, put last on the module path."""
    extra: tuple[Path, ...] = ()
    """Further module folders, read-only (editable installs)."""
    cache: Path | None = None
    """Host folder kept over restarts for compiled kernels of this one candidate; writable."""


class Box:
    """A running zygote inside a sandbox. Close it, or leave the `with`, to kill all of it."""

    def __init__(
        self,
        tier: Tier,
        mounts: Mounts,
        *,
        channel: int,
        cpu: int | None = None,
        seccomp: bytes | None = None,
    ) -> None:
        """Start it.

        Args:
            tier: From `probe`.
            mounts: What it may see.
            channel: File descriptor of the zygote's end of the judge's socket.
            cpu: The one CPU to run on, or None.
            seccomp: A BPF program to load at start, or None.
        """
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the box
        settings = {
            "fd": channel,
            "path": [str(path) for path in _module_path(mounts)],
            "uid": tier.uid,
            "limits": _limits(tier),
            "isolated": tier.isolated,
            "cpu": cpu,
        }
        bootstrap = _packages()[1] / "runner" / "bootstrap.py"
        python = [_python(), "-I", "-S", "-B", str(bootstrap), json.dumps(settings)]
        inherited = [channel]
        command = python
        if tier.bwrap is not None:
            filters = []
            if seccomp is not None:
                fd = _memfd(seccomp)
                inherited.append(fd)
                filters = ["--seccomp", str(fd)]
            command = [tier.bwrap, *_arguments(tier, mounts), *filters, "--", *python]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env=_environment(tier, mounts),
            cwd="/",
            pass_fds=inherited,
        )

    @property
    def pid(self) -> int:
        """Process id of the outermost process, on the host."""
        return self._process.pid

    def log(self) -> str:
        """Return the last words of the zygote, for the reason of a failed start."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), 4096, max(0, size - 4096)).decode("utf-8", "replace")

    def close(self) -> None:
        """Kill everything inside and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        self._log.close()


def _arguments(tier: Tier, mounts: Mounts) -> list[str]:
    root = tier.uid is not None
    arguments = namespaces(root)
    for path in _HOST:
        if Path(path).is_symlink():
            arguments += ["--symlink", str(Path(path).readlink()), path]
        elif Path(path).exists():
            arguments += ["--ro-bind", path, path]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    arguments += ["--perms", "1777", "--size", str(_TMP_BYTES), "--tmpfs", "/tmp"]  # noqa: S108
    for path in ("/etc", "/sys", "/sys/devices", "/sys/devices/system"):
        arguments += ["--perms", "0755", "--dir", path]
    for path in _HOST_TRY:
        arguments += ["--ro-bind-try", path, path]
    made = {Path("/tmp")}  # noqa: S108 - inside the sandbox
    bound: list[Path] = []
    for folder in _read_only(mounts):
        if folder.is_relative_to("/usr"):
            continue
        # bubblewrap makes missing parents 0700 of root's; the dropped uid must pass through them.
        for parent in reversed(folder.parents[:-1]):
            if parent not in made and not any(parent.is_relative_to(root) for root in bound):
                arguments += ["--perms", "0755", "--dir", str(parent)]
                made.add(parent)
        arguments += ["--ro-bind", str(folder), str(folder)]
        bound.append(folder)
    if mounts.cache is not None:
        arguments += ["--bind", str(mounts.cache), _CACHE]
    if root:
        for capability in ("SETUID", "SETGID", "SETPCAP"):
            arguments += ["--cap-add", f"CAP_{capability}"]
        arguments[:0] = ["--cap-drop", "ALL"]
    settings = _settings(mounts).items()
    setenv = [part for name, value in settings for part in ("--setenv", name, value)]
    return [*arguments, "--hostname", "judge", "--chdir", "/tmp", "--clearenv", *setenv]  # noqa: S108


def _settings(mounts: Mounts) -> dict[str, str]:
    """Return the variables inside; what compilers precompile for all processes lies in TMPDIR."""
    return _ENVIRONMENT | ({"TMPDIR": _CACHE} if mounts.cache else {})


def _environment(tier: Tier, mounts: Mounts) -> dict[str, str]:
    if tier.bwrap is not None:
        return {"PATH": _ENVIRONMENT["PATH"]}
    cache = str(mounts.cache) if mounts.cache else tempfile.gettempdir()
    return {name: value.replace(_CACHE, cache) for name, value in _settings(mounts).items()}


def _limits(tier: Tier) -> dict[str, int]:
    limits = dict(_LIMITS)
    if tier.uid is None:
        # Counted per user: outside a fresh uid it would count the author's whole desktop.
        del limits["RLIMIT_NPROC"]
    return limits


def _python() -> str:
    """Return the interpreter itself: a venv's `python` is a link and adds nothing under `-S`."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def _site() -> list[Path]:
    paths = sysconfig.get_paths()
    import importlib.util

    found = [Path(paths["purelib"]), Path(paths["platlib"])]
    if (spec := importlib.util.find_spec("torch")) is not None and spec.origin:
        found.append(Path(spec.origin).parent.parent)
    return list(dict.fromkeys(path.resolve() for path in found))


def _module_path(mounts: Mounts) -> list[Path]:
    own = [package.parent for package in _packages()]
    judged = [mounts.plugin] if mounts.plugin else []
    return list(dict.fromkeys([*own, *_site(), *mounts.extra, *judged]))


def _packages() -> list[Path]:
    """Return the folders of the two packages of ours that run inside."""
    files = (dougong.__file__, str(dougong_ci.__file__))
    return [Path(file).resolve().parent for file in files]


def _read_only(mounts: Mounts) -> list[Path]:
    """Return what is bound besides the system: of our own source trees only the two packages."""
    own = _packages()
    prefix = Path(sys.base_prefix).resolve()
    judged = [mounts.plugin.resolve()] if mounts.plugin else []
    return list(dict.fromkeys([prefix, *_site(), *own, *mounts.extra, *judged]))


def _memfd(data: bytes) -> int:
    fd = os.memfd_create("seccomp")
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


__all__ = ["Box", "Mounts", "SandboxError"]
