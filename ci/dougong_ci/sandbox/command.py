"""The command that starts a sandbox: bubblewrap with a private /tmp and an empty environment.

Only what Python and a compiler need is bound, and all of it read-only: the one place to write is
memory of a bounded size. Nothing that untrusted code writes ever reaches the host's disk.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import sys
import sysconfig
from pathlib import Path

import dougong
import dougong_ci
from dougong_ci.sandbox.cache import Cache
from dougong_ci.sandbox.tier import Tier, namespaces

_HOST = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin")
_HOST_TRY = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
)
_DEV = Path("/dev")
_TMP_BYTES = 1 << 30
TMP = "/tmp"  # noqa: S108 - inside the sandbox, where it is private
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - inside the sandbox, where it is private
CACHE = f"{TMP}/cache"
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": TMP,
    "TMPDIR": TMP,
    "USER": "operator",
    "LOGNAME": "operator",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XDG_CACHE_HOME": CACHE,
    # Keep freed memory: whether a heap gives it back, to be faulted in again page by page at the
    # next call, hangs on its layout and makes equal processes differ sevenfold.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    # Give an aligned buffer the same place at every call: its freed edges are not cached apart from
    # it, so that it can be whole again. Otherwise some processes walk over three buffers in turn,
    # up to 30 % slower, and which ones do hangs on what they imported.
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0",
    "TORCHINDUCTOR_CACHE_DIR": f"{CACHE}/inductor",
    "TRITON_CACHE_DIR": f"{CACHE}/triton",
    "CUDA_CACHE_PATH": f"{CACHE}/cuda",
    # Compile in the process itself: worker pools would outlive the fork and fight for two cores.
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    # Believe the processor's flags: the probe compiles and runs a program in each fresh process,
    # which costs 5 s of every restart.
    "TORCHINDUCTOR_VEC_ISA_OK": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Mounts:
    """What a box sees besides the system and Python."""

    plugin: Path | None = None
    """Folder of the unpacked distribution, put last on the module path."""
    extra: tuple[Path, ...] = ()
    """Further module folders, read-only (editable installs)."""
    cache: Cache | None = None
    """Keeps compiled kernels of this one candidate from one sandbox to the next."""


def arguments(tier: Tier, mounts: Mounts, *, gpu: bool = False) -> list[str]:
    """Return the command line of bubblewrap up to, not including, the filter and the program."""
    made = [*_system(), *(_gpu() if gpu else ()), *_memory(mounts), *_bound(mounts)]
    # The root of the sandbox is memory too, without a limit, and its user's own where unprivileged.
    made += ["--remount-ro", "/dev", "--remount-ro", "/"]
    if tier.drops:
        for capability in ("SETUID", "SETGID", "SETPCAP"):
            made += ["--cap-add", f"CAP_{capability}"]
        made[:0] = ["--cap-drop", "ALL"]
    setenv = [part for pair in _settings(mounts).items() for part in ("--setenv", *pair)]
    start = ["--hostname", "judge", "--chdir", TMP, "--clearenv", *setenv]
    return [str(tier.bwrap), *namespaces(tier.drops), *made, *start]


def tuning() -> dict[str, str]:
    """Return the variables inside that bear on times: threads and the allocator's thresholds."""
    return {
        name: value
        for name, value in _ENVIRONMENT.items()
        if name.endswith("_NUM_THREADS") or name.startswith(("MALLOC_", "GLIBC_"))
    }


def environment(tier: Tier, mounts: Mounts) -> dict[str, str]:
    """Return the environment to start the command in; bubblewrap sets that of the program."""
    if tier.isolated:
        return {"PATH": _ENVIRONMENT["PATH"]}
    # A sandbox in name only: compiled kernels and temporary files go where the user's own go.
    cache = str(mounts.cache.folder) if mounts.cache else os.environ.get("TMPDIR", TMP)
    return {name: value.replace(CACHE, cache) for name, value in _settings(mounts).items()}


def trusted_path() -> list[str]:
    """Return what is put on `sys.path` after the standard library before anything is loaded."""
    own = [package.parent for package in packages()]
    return list(dict.fromkeys(map(str, [*own, *_site()])))


def judged_path(mounts: Mounts) -> list[str]:
    """Return what follows it in an operator's own process: what is judged comes last."""
    judged = [mounts.plugin] if mounts.plugin else []
    return list(dict.fromkeys(map(str, [*mounts.extra, *judged])))


def packages() -> list[Path]:
    """Return the folders of the two packages of ours that run inside."""
    files = (dougong.__file__, str(dougong_ci.__file__))
    return [Path(file).resolve().parent for file in files]


def _system() -> list[str]:
    made: list[str] = []
    for path in _HOST:
        if Path(path).is_symlink():
            made += ["--symlink", str(Path(path).readlink()), path]
        elif Path(path).exists():
            made += ["--ro-bind", path, path]
    made += ["--proc", "/proc", "--dev", "/dev"]
    for path in ("/etc", "/sys", "/sys/devices", "/sys/devices/system"):
        made += ["--perms", "0755", "--dir", path]
    for path in _HOST_TRY:
        made += ["--ro-bind-try", path, path]
    return made


def _gpu() -> list[str]:
    """Bind the driver's device files; its libraries lie among the system's or beside torch."""
    files = [str(path) for path in sorted(_DEV.glob("nvidia*")) if not path.is_dir()]
    return [part for file in files for part in ("--dev-bind", file, file)]


def _memory(mounts: Mounts) -> list[str]:
    made: list[str] = []
    for path in (TMP, SHARED_MEMORY):
        made += ["--perms", "1777", "--size", str(_TMP_BYTES), "--tmpfs", path]
    return [*made, "--perms", "1777", "--dir", CACHE] if mounts.cache else made


def _bound(mounts: Mounts) -> list[str]:
    made: list[str] = []
    ready = {Path(TMP)}
    bound: list[Path] = []
    for folder in _read_only(mounts):
        if folder.is_relative_to("/usr"):
            continue
        # bubblewrap makes missing parents 0700 of root's; the dropped uid must pass through them.
        for parent in reversed(folder.parents[:-1]):
            if parent not in ready and not any(parent.is_relative_to(root) for root in bound):
                made += ["--perms", "0755", "--dir", str(parent)]
                ready.add(parent)
        made += ["--ro-bind", str(folder), str(folder)]
        bound.append(folder)
    return made


def _settings(mounts: Mounts) -> dict[str, str]:
    """Return the variables inside; what compilers precompile for all processes lies in TMPDIR."""
    return _ENVIRONMENT | ({"TMPDIR": CACHE} if mounts.cache else {})


def _site() -> list[Path]:
    paths = sysconfig.get_paths()
    found = [Path(paths["purelib"]), Path(paths["platlib"])]
    if (spec := importlib.util.find_spec("torch")) is not None and spec.origin:
        found.append(Path(spec.origin).parent.parent)
    return list(dict.fromkeys(path.resolve() for path in found))


def _read_only(mounts: Mounts) -> list[Path]:
    """Return what is bound besides the system: of our own source trees only the two packages."""
    prefix = Path(sys.base_prefix).resolve()
    judged = [mounts.plugin.resolve()] if mounts.plugin else []
    return list(dict.fromkeys([prefix, *_site(), *packages(), *mounts.extra, *judged]))
