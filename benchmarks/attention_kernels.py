"""How fast is the compiled attention against torch's, and the sparse against our own exact one?

Calls in turn, in changing order, in one process; the median of the ratios of each round, and the
interval that holds nine tenths of the medians of resampled rounds. Against torch and against our
own exact kernel always together: only the second ratio is sparsity.

    python benchmarks/attention_kernels.py [--only prefill decode ...] [--threads 2] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

from dougong_kernels import library
from dougong_kernels.exact import attention
from dougong_kernels.cache import PageBounds
from dougong_kernels.sparse import sparse, sparse_decode

HEADS, SIZE, KEEP = 8, 64, 0.2
KINDS = ("exact", "backward", "prefill", "decode")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
EVICTED_BYTES = 64 << 20
"""Written between decoding steps, so that no cache holds the keys: as other layers' do."""

Calls = dict[str, Callable[[], Any]]


def rounds(calls: Calls, budget_s: float, *, evict: bool = False) -> dict[str, list[float]]:
    """Return the seconds of each call in each round; at least five rounds."""
    for call in calls.values():
        call()
    waste = torch.empty(EVICTED_BYTES // 4)
    took: dict[str, list[float]] = {name: [] for name in calls}
    started = time.perf_counter()
    while time.perf_counter() - started < budget_s or len(took["torch"]) < 5:
        order = list(calls)
        random.shuffle(order)
        for name in order:
            if evict:
                waste.add_(1)
            before = time.perf_counter()
            calls[name]()
            took[name].append(time.perf_counter() - before)
    return took


def ratio(slow: list[float], fast: list[float]) -> dict[str, float]:
    """Return the median ratio over rounds and its 90 % bootstrap interval."""
    pairs = [a / b for a, b in zip(slow, fast, strict=True)]
    source = random.Random(0)
    medians = sorted(statistics.median(source.choices(pairs, k=len(pairs))) for _ in range(500))
    return {
        "median": round(statistics.median(pairs), 3),
        "low": round(medians[25], 3),
        "high": round(medians[474], 3),
    }


def cases(kind: str, lengths: list[int]) -> Iterator[tuple[dict[str, Any], Calls, float]]:
    """Yield what is measured: its name, the calls, and the operations of the exact one."""
    for length in lengths:
        for name, dtype in DTYPES.items():
            for is_causal in (False,) if kind == "decode" else (False, True):
                queries = 1 if kind == "decode" else length
                q = torch.randn(1, HEADS, queries, SIZE, dtype=dtype)
                k, v = (torch.randn(1, HEADS, length, SIZE, dtype=dtype) for _ in range(2))
                flops = 4.0 * HEADS * queries * length * SIZE / (2 if is_causal else 1)
                row = {"kind": kind, "length": length, "dtype": name, "causal": is_causal}
                yield row, calls_of(kind, q, k, v, is_causal), flops


def calls_of(
    kind: str, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, is_causal: bool
) -> Calls:
    """Return what is compared; the selection is part of every sparse call."""
    calls: Calls = {
        "torch": lambda: sdpa(q, k, v, is_causal=is_causal),
        "exact": lambda: attention(q, k, v, is_causal=is_causal),
    }
    if kind == "prefill":
        calls["sparse"] = lambda: sparse(q, k, v, is_causal=is_causal, keep=KEEP)
    if kind == "decode":
        pages = PageBounds(k)
        calls["sparse"] = lambda: sparse_decode(q, k, v, pages, keep=KEEP)
    if kind == "backward":
        inputs = [each.requires_grad_() for each in (q, k, v)]
        slope = torch.randn_like(q)
        return {name: partial(both_ways, call, inputs, slope) for name, call in calls.items()}
    return calls


def both_ways(call: Callable[[], Any], inputs: list[torch.Tensor], slope: torch.Tensor) -> None:
    """Run a call forward and backward."""
    torch.autograd.grad(call(), inputs, slope)


def measured(kind: str, lengths: list[int], budget_s: float) -> Iterator[dict[str, Any]]:
    """Yield one row a case."""
    for row, calls, flops in cases(kind, lengths):
        took = rounds(calls, budget_s, evict=kind == "decode")
        row |= {f"{name}_ms": round(1e3 * statistics.median(t), 3) for name, t in took.items()}
        row["exact_over_torch"] = ratio(took["torch"], took["exact"])
        if "sparse" in took:
            row["sparse_over_torch"] = ratio(took["torch"], took["sparse"])
            row["sparse_over_exact"] = ratio(took["exact"], took["sparse"])
        if kind in ("exact", "prefill"):
            row["exact_gflops"] = round(flops / statistics.median(took["exact"]) / 1e9, 1)
        yield row | {"rounds": len(took["torch"])}


def machine() -> dict[str, Any]:
    """Return what the numbers depend on, the load of the machine included."""
    found = library.kernels()
    return {
        "torch": torch.__version__,
        "level": found and found.level,
        "threads": torch.get_num_threads(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "cpus": os.cpu_count(),
    }


def shown(row: dict[str, Any]) -> str:
    """Return a row as a line."""
    name = (
        f"{row['kind']:9}{row['length']:>6} {row['dtype']:9}{'causal' if row['causal'] else '':7}"
    )
    for key in ("exact_over_torch", "sparse_over_torch", "sparse_over_exact"):
        if key in row:
            name += "  {}: {median:6.2f} [{low:.2f}, {high:.2f}]".format(
                key.replace("_over_", "/"), **row[key]
            )
    return name + (f"  {row['exact_gflops']} GF/s" if "exact_gflops" in row else "")


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--lengths", nargs="*", type=int, help="in place of 1k, 4k, 16k (64k)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--budget-s", type=float, default=3.0, help="seconds a case")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    before, table = machine(), []
    for kind in arguments.only:
        usual = {"decode": [16384, 65536], "backward": [1024, 4096]}.get(kind, [1024, 4096, 16384])
        for row in measured(kind, arguments.lengths or usual, arguments.budget_s):
            table.append(row)
            if not arguments.json:
                print(shown(row), flush=True)
    result = {"before": before, "after": machine(), "rows": table}
    print(json.dumps(result, indent=2) if arguments.json else result["after"])


if __name__ == "__main__":
    main()
