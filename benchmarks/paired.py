"""Calls timed in turn: rounds in changing order, and what the medians of resampled rounds say."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

Calls = dict[str, Callable[[], Any]]


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""What is read: on a machine that others use, processor time of one thread says more than a clock
on the wall."""


def rounds(
    calls: Calls,
    budget_s: float,
    *,
    least: int = 5,
    most: int = 400,
    clock: str = "wall",
    between: Callable[[], Any] | None = None,
) -> dict[str, list[float]]:
    """Return the seconds of each call in each round, after calls that do not count.

    A call shorter than 50 us is repeated within a round, so that the clock has something to read;
    not where something is to be done before each call.

    Args:
        calls: What is timed, by name.
        budget_s: Rounds begin until so much time is over.
        least: Rounds at least.
        most: Rounds at most, where there were so many as the least.
        clock: One of `CLOCKS`.
        between: Done before each call, outside of the clock.
    """
    now = CLOCKS[clock]
    repeats = {name: _repeats(call) for name, call in calls.items()}
    if between is not None:
        repeats = dict.fromkeys(calls, 1)
    took: dict[str, list[float]] = {name: [] for name in calls}
    order, source = list(calls), random.Random(0)
    started, done = time.perf_counter(), 0
    while done < least or (time.perf_counter() - started < budget_s and done < most):
        source.shuffle(order)
        for name in order:
            if between is not None:
                between()
            before = now()
            for _ in range(repeats[name]):
                calls[name]()
            took[name].append((now() - before) / repeats[name])
        done += 1
    return took


def _repeats(call: Callable[[], Any]) -> int:
    call()
    before = time.perf_counter()
    call()
    return max(1, min(50, round(50e-6 / (time.perf_counter() - before))))


def ratio(
    slow: list[float], fast: list[float], *, share: float = 0.9, resamples: int = 500
) -> dict[str, float]:
    """Return the median over rounds of slow / fast, and the bootstrap interval of that share."""
    pairs = [a / b for a, b in zip(slow, fast, strict=True)]
    source = random.Random(0)
    medians = sorted(
        statistics.median(source.choices(pairs, k=len(pairs))) for _ in range(resamples)
    )
    tail = round(resamples * (1 - share) / 2)
    return {
        "median": round(statistics.median(pairs), 3),
        "low": round(medians[tail], 3),
        "high": round(medians[-1 - tail], 3),
    }


def machine() -> dict[str, Any]:
    """Return what the numbers depend on, the load of the machine included."""
    import torch

    from dougong_kernels import library

    found = library.kernels()
    return {
        "torch": torch.__version__,
        "level": found and found.level,
        "threads": torch.get_num_threads(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "cpus": os.cpu_count(),
    }
