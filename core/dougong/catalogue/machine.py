"""What this machine and this environment have: packages, devices, compilers, instruction sets.

Every probe answers with the reason in one line, or None where nothing is missing.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

_DEVICE_FILES = {
    # torch calls ROCm devices cuda too, and WSL shows its GPU as /dev/dxg.
    "cuda": ("nvidia[0-9]*", "kfd", "dxg"),
    "xpu": ("dri/renderD*",),
    "npu": ("davinci[0-9]*",),
    "hpu": ("accel/accel[0-9]*",),
}
_CAPABILITY = re.compile(r"cuda>=(?P<major>\d+)(?:\.(?P<minor>\d+))?")
_CPU_FEATURE = re.compile(r"(avx|sse|amx|asimd|sve|neon|fma|f16c|bf16|vnni)[a-z0-9_.]*")


def requirement_missing(requirement: str) -> str | None:
    """Check one PEP 508 requirement against what is installed."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return f"requires {requirement!r}, which is not a PEP 508 requirement"
    if parsed.marker and not parsed.marker.evaluate():
        return None
    try:
        found = importlib.metadata.version(parsed.name)
    except importlib.metadata.PackageNotFoundError:
        return f"requires {requirement}, not installed"
    if parsed.specifier.contains(found, prereleases=True):
        return None
    return f"requires {requirement}, found {found}"


def device_absent(kind: str) -> str | None:
    """Tell whether the machine lacks a kind of device, from its device files alone.

    None means that it may be there; only torch knows whether it can use it.
    """
    if kind == "mps":
        absent = sys.platform != "darwin"
    else:
        patterns = _DEVICE_FILES.get(kind, ())
        absent = bool(patterns) and not any(any(Path("/dev").glob(each)) for each in patterns)
    return f"device {kind} is not available" if absent else None


def device_missing(device: str) -> str | None:
    """Ask torch whether it can use a device; torch is not imported for the CPU."""
    kind, _, index = device.partition(":")
    if kind in ("cpu", "meta"):
        return None
    if reason := device_absent(kind):
        return reason
    import torch

    module: Any = getattr(torch, kind, None)
    if module is None or not hasattr(module, "is_available") or not module.is_available():
        return f"device {kind} is not available"
    if index and int(index) >= module.device_count():
        return f"device {device} is not available, {kind} has {module.device_count()}"
    return None


def need_missing(need: str, device: str | None = None) -> str | None:
    """Check one tool or feature of the machine: `c++-compiler`, `cuda>=8.0`, `rocm`, `avx2`.

    A CUDA capability is compared only where `device` is a CUDA device, because that takes torch.
    """
    if need == "c++-compiler":
        return compiler_missing()
    if need == "rocm":
        return None if Path("/dev/kfd").exists() else "needs an AMD GPU with ROCm, found none"
    if capability := _CAPABILITY.fullmatch(need):
        wanted = (int(capability["major"]), int(capability["minor"] or 0))
        return _capability_missing(wanted, device)
    if _CPU_FEATURE.fullmatch(need):
        return None if need in _cpu_features() else f"needs {need}, which this CPU lacks"
    return f"needs {need!r}, which this version of Dougong cannot check"


@functools.cache
def compiler_missing() -> str | None:
    """Check that a C++ extension can be built: a compiler and the headers of this Python."""
    wanted = os.environ.get("CXX")
    names = [wanted.split()[0]] if wanted and wanted.split() else ["c++", "g++", "clang++"]
    if not any(map(shutil.which, names)):
        return f"needs a C++ compiler, found none of {', '.join(names)}"
    header = Path(sysconfig.get_path("include"), "Python.h")
    return None if header.exists() else f"needs the headers of Python, {header} does not exist"


def _capability_missing(wanted: tuple[int, int], device: str | None) -> str | None:
    text = f"{wanted[0]}.{wanted[1]}"
    if device is None or not device.startswith("cuda"):
        absent = device_absent("cuda")
        return f"needs CUDA capability {text}, {absent}" if absent else None
    if missing := device_missing(device):
        return missing
    import torch

    found = torch.cuda.get_device_capability(device)
    if found >= wanted:
        return None
    return f"needs CUDA capability {text}, {device} has {found[0]}.{found[1]}"


@functools.cache
def _cpu_features() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    line = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return frozenset(line[1].split()) if line else frozenset()
