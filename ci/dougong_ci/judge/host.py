"""The machine a verdict was made on: its name, its load, and the least time a call can take."""

from __future__ import annotations

import functools
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import torch

from dougong.contracts.definition import Cost
from dougong.hardware import cores, cpu_model
from dougong_ci.hardware import memory_bytes

_PROBE_BYTES = (1 << 18, 1 << 21, 1 << 25)


def fingerprint() -> dict[str, Any]:
    """Return what a reader must know to compare: hardware, software, settings."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "memory_bytes": memory_bytes(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_threads": 1,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        **probes(),
    }


def load() -> float:
    """Return the load average of the last minute."""
    return os.getloadavg()[0]


def runner_cpu() -> int | None:
    """Return the one CPU that runners share, or None where there is only one."""
    mine = sorted(os.sched_getaffinity(0))
    return mine[-1] if len(mine) > 1 else None


@functools.cache
def probes() -> dict[str, float]:
    """Measure what one thread can move and multiply at best: bytes and operations a second."""
    bandwidth = 0.0
    for size in _PROBE_BYTES:
        source = torch.ones(size // 4)
        target = torch.empty_like(source)
        seconds = _best(functools.partial(target.copy_, source))
        bandwidth = max(bandwidth, 2 * size / seconds)
    square = torch.ones(384, 384)
    flops = 2 * 384**3 / _best(lambda: square @ square)
    return {"bytes_per_s": bandwidth, "flops_per_s": flops}


def floor_us(cost: Cost) -> float:
    """Return the time below which no implementation can be, by the best this host has shown."""
    best = probes()
    return 1e6 * max(cost.bytes / best["bytes_per_s"], cost.flops / best["flops_per_s"])


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(7):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)
