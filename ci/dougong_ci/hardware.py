"""The name of a machine, found without loading torch where that can be."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from pathlib import Path


def cpu_model() -> str:
    """Return the marketing name of the processor."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        text = ""
    found = re.search(r"^(?:model name|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def cores() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0))


def cpu_class() -> str:
    """Return the name under which times are comparable: `cpu-amd-epyc-9b45-2c`."""
    name = re.sub(r"\((r|tm)\)|\bcpu\b|@.*|\b\d+-core\b|\bprocessor\b", " ", cpu_model().lower())
    slug = re.sub(r"[^a-z0-9]+", "-", name).strip("-") or "unknown"
    return f"cpu-{slug}-{cores()}c"


def memory_bytes() -> int:
    """Return the memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def hardware(devices: Iterable[str]) -> dict[str, str]:
    """Return the hardware class of each device.

    Raises:
        DeviceError: a device is not there.
    """
    return {name: cpu_class() if name == "cpu" else _device_class(name) for name in devices}


def _device_class(name: str) -> str:
    from dougong_ci.judge.device import device

    return device(name).hardware_class()
