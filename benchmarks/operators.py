"""A quick look by the author: how fast is every first-party operator against its baseline?

Pairs of calls, baseline and operator in turn and in changing order, in several fresh processes with
one thread each; the median ratio of each process, and the middle of those. The judge's speed gate
(`dougong judge`) measures this officially, in a sandbox and with a control.

    python benchmarks/operators.py [--only NAME ...] [--processes 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

SEED = 11
CALL_S = 0.15
"""Seconds spent on the pairs of one workload in one process."""


def measured(name: str, dtype_name: str) -> dict[str, float]:
    """Return the median of baseline time / operator time for each speed workload."""
    import torch

    from dougong import contracts
    from dougong.catalogue import Catalogue
    from dougong.operator import resolve

    torch.set_num_threads(1)
    operator = Catalogue.load(["dougong_plugins", "dougong_kernels"]).get(name).operator
    contract = contracts.contract(operator.contract)
    dtype = getattr(torch, dtype_name)
    target, baseline = operator.load(), resolve(next(iter(contract.baselines.values())))
    ratios = {}
    for workload in contract.select("speed", contract.features_of(operator)):
        case = contract.generate(workload, SEED, dtype)
        calls = [contract.bind(each, case) for each in (baseline, target)]
        with torch.no_grad():
            ratios[workload.name] = paired([partial(call, case.tensors) for call in calls])
    return ratios


def paired(calls: list[Callable[[], Any]]) -> float:
    """Return the median ratio of the first call's time to the second's, over pairs."""
    for call in calls * 3:
        call()
    started = time.perf_counter()
    calls[0]()
    calls[1]()
    pairs = max(7, min(400, math.ceil(CALL_S / (time.perf_counter() - started))))
    ratios = []
    for i in range(pairs):
        took = [0, 0]
        for which in (0, 1) if i % 2 else (1, 0):
            started_ns = time.perf_counter_ns()
            calls[which]()
            took[which] = time.perf_counter_ns() - started_ns
        ratios.append(took[0] / took[1])
    return statistics.median(ratios)


def rows(only: list[str], processes: int) -> list[dict[str, Any]]:
    """Measure in fresh processes; one row for each operator and dtype."""
    from dougong import contracts
    from dougong.catalogue import Catalogue

    found = []
    for name, entry in Catalogue.load(["dougong_plugins", "dougong_kernels"]).entries.items():
        if only and not any(part in name for part in only):
            continue
        accepted = contracts.contract(entry.operator.contract).dtypes
        for dtype in ("float32", "bfloat16"):
            if dtype not in entry.operator.dtypes or dtype not in accepted:
                continue
            command = [sys.executable, __file__, "--one", name, dtype]
            runs = [
                json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
                for _ in range(processes)
            ]
            found.append({"operator": name, "dtype": dtype, "workloads": _merged(runs)})
    return found


def _merged(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    return {
        workload: {
            "low": round(min(run[workload] for run in runs), 3),
            "median": round(statistics.median(run[workload] for run in runs), 3),
            "high": round(max(run[workload] for run in runs), 3),
        }
        for workload in runs[0]
    }


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="*", default=[], help="parts of operator names")
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(*arguments.one)))
        return
    table = rows(arguments.only, arguments.processes)
    if arguments.json:
        print(json.dumps(table, indent=2))
        return
    print(f"{'operator':34}{'dtype':10}{'workload':26}{'ratio':>7}   low to high")
    for row in table:
        for workload, ratio in row["workloads"].items():
            line = f"{row['operator']:34}{row['dtype']:10}{workload:26}{ratio['median']:7.2f}"
            print(f"{line}   {ratio['low']:.2f} to {ratio['high']:.2f}")


if __name__ == "__main__":
    main()
