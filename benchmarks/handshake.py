"""What does the judge's protocol add to a timed call?

    python benchmarks/handshake.py [--calls N] [--json]

An operator that hands out the same prepared tensor of four elements is timed by the judge's clock
through the real protocol (`Party`, `Child`, the runner in its sandbox), and by itself in a plain
loop in this process. The difference is what every timed call of baseline, control and candidate
pays alike; it is subtracted nowhere. Bar: median below 5 us.

The parts are measured too: the flag alone (a runner that checks and copies nothing), the runner's
own work (checks and copy)).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dougong import contracts
from dougong.contracts import evaluate
from dougong.contracts.definition import Workload
from dougong_ci.judge import PROFILES, host
from dougong_ci.judge.memory import image, shared_bytes
from dougong_ci.judge.party import Party
from dougong_ci.runner import protocol
from dougong_ci.runner.protocol import ANSWERED, SEQUENCE, STATE, Control, State
from dougong_ci.sandbox import Mounts, probe

BAR_US = 5.0
_PLUGIN = """
import torch

y = torch.zeros(4)


def empty(x):
    return y
"""


def empty(x: Tensor) -> Tensor:
    """Do nothing, as the operator in the sandbox does."""
    return _Y


_Y = torch.zeros(4)
_WORKLOAD = Workload(name="empty", params={"shape": "4"})


def through_the_judge(calls: int) -> list[float]:
    """Return the microseconds of timed calls by the judge's clock."""
    contract = contracts.contract("activation.silu@1")
    case = contract.generate(_WORKLOAD, 0, torch.float32)
    outputs = evaluate.natives(contract, case)[0]
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        (Path(scratch) / "handshake_plugin.py").write_text(_PLUGIN)
        mounts = Mounts(plugin=Path(scratch))
        with Party(probe(), mounts, PROFILES["quick"], host.runner_cpu()) as party:
            child = party.spawn()
            buffers = child.prepare(contract.id, "handshake_plugin:empty", case, outputs)
            packed = image(buffers.in_plan, case.tensors)
            with child.armed():
                return [child.call(packed, 10.0) for _ in range(calls)]


def by_itself(calls: int) -> list[float]:
    """Return the microseconds of the same operator called through its contract, in a loop."""
    contract = contracts.contract("activation.silu@1")
    case = contract.generate(_WORKLOAD, 0, torch.float32)
    bound, tensors = contract.bind(empty, case), case.tensors
    return _timed(calls, lambda: bound(tensors))


def runners_work(calls: int) -> list[float]:
    """Return the microseconds of what the runner does around a call: checks and copy."""
    from dougong_ci.runner.serve import Call

    y = torch.empty(4)
    call = object.__new__(Call)
    call._outputs, call._spans, call._held = [(y, y.dtype, y.shape)], ((0, 0),) * 3, ()
    call._backward = False
    results = (_Y,)
    call._run = lambda: results  # type: ignore[method-assign] # nothing but the work around it
    return _timed(calls, call)


def _timed(calls: int, work: Callable[[], object]) -> list[float]:
    times_us = []
    for _ in range(calls):
        begin = time.perf_counter_ns()
        work()
        times_us.append((time.perf_counter_ns() - begin) / 1e3)
    return times_us


def flag_alone(calls: int) -> list[float]:
    """Return the microseconds of raising the flag and seeing it answered, across two processes."""
    fd = shared_bytes(protocol.CONTROL_BYTES)
    words = Control(fd).words
    cpu = host.runner_cpu()
    if not (pid := os.fork()):
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
        while (state := words[STATE]) != State.PARK:
            if state == State.GO:
                words[ANSWERED] = words[SEQUENCE]
                words[STATE] = State.DONE
        os._exit(0)
    times_us = []
    for sequence in range(calls):
        words[SEQUENCE] = sequence
        begin = time.perf_counter_ns()
        words[STATE] = State.GO
        while words[STATE] == State.GO:
            pass
        times_us.append((time.perf_counter_ns() - begin) / 1e3)
    words[STATE] = State.PARK
    os.waitpid(pid, 0)
    return times_us


def main() -> int:
    """Print a table, or JSON; exit status 1 where the overhead is at or above the bar."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--calls", type=int, default=3_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if threading.active_count() > 1:
        print("other threads are running; the clock may suffer", file=sys.stderr)
    rows = {
        "timed call of an empty operator": through_the_judge(arguments.calls),
        "the same operator by itself": by_itself(arguments.calls),
        "flag raised and answered": flag_alone(arguments.calls),
        "the runner's checks and copy": runners_work(arguments.calls),
    }
    table = [{"what": name, **_row(times_us)} for name, times_us in rows.items()]
    overhead_us = table[0]["median_us"] - table[1]["median_us"]
    result: dict[str, Any] = {"rows": table, "overhead_us": overhead_us, "load": host.load()}
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        print(f"{'':34}{'median':>9}{'p10':>9}{'p90':>9}  us")
        for row in table:
            print(
                f"{row['what']:34}{row['median_us']:9.2f}{row['p10_us']:9.2f}{row['p90_us']:9.2f}"
            )
        print(f"overhead of a timed call {overhead_us:.2f} us, bar {BAR_US} us, load {host.load()}")
    return 0 if overhead_us < BAR_US else 1


def _row(times_us: list[float]) -> dict[str, float]:
    tenths = statistics.quantiles(times_us, n=10)
    return {"median_us": statistics.median(times_us), "p10_us": tenths[0], "p90_us": tenths[-1]}


if __name__ == "__main__":
    raise SystemExit(main())
