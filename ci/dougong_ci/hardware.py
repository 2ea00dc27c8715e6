"""What a machine can judge on, found without loading torch where that can be."""

from __future__ import annotations

import os
from collections.abc import Iterable

from dougong.hardware import hardware_class


def memory_bytes() -> int:
    """Return the memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def hardware(devices: Iterable[str]) -> dict[str, str]:
    """Return the hardware class of each device.

    Raises:
        DeviceError: a device is not there.
    """
    return {name: hardware_class() if name == "cpu" else _device_class(name) for name in devices}


def _device_class(name: str) -> str:
    from dougong_ci.judge.device import device

    return device(name).hardware_class()
