"""How fast is the compiled attention against torch's, and the sparse against our own exact one?

Calls in turn, in changing order, in one process; the median of the ratios of each round, and the
interval that holds nine tenths of the medians of resampled rounds. Against torch (at the same
dtype) and against our own exact kernel always together: only the second ratio is sparsity. For
bfloat16 the ratio against torch in float32 is shown too. The last column sets the exact kernel
against what this machine does at most, measured before and after each case. "large" decodes a cache
held in pages of 2 MiB (`dougong_kernels.memory`), torch's calls too.

    python benchmarks/attention_kernels.py [--quick] [--only sparse decode ...] [--json]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import paired
import torch
from paired import Calls
from rich.console import Console
from rich.table import Table
from torch.nn.functional import scaled_dot_product_attention as sdpa

from dougong_kernels import library
from dougong_kernels.cache import PageBounds
from dougong_kernels.exact import attention
from dougong_kernels.memory import use_large_pages
from dougong_kernels.sparse import sparse, sparse_decode

HEADS, SIZE, KEEP = 8, 64, 0.2
KINDS = ("exact", "backward", "sparse", "decode", "large")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
LENGTHS = {
    "exact": (1024, 4096, 16384),
    "backward": (1024, 4096),
    "sparse": (4096, 16384),
    "decode": (16384, 65536),
    "large": (16384, 65536),
}
QUICK = {**LENGTHS, "exact": (1024, 4096), "backward": (1024,)}
EVICTED_BYTES = 64 << 20
"""Written between decoding steps, so that no cache holds the keys: as other layers' do."""
MOST_ROUNDS = 10_000
BARS = {
    ("exact", "float32"): {"exact/torch": 1.5},
    ("exact", "bfloat16"): {"exact/torch": 3.0},
    ("backward", "float32"): {"exact/torch": 1.2},
    ("backward", "bfloat16"): {"exact/torch": 1.2},
    ("sparse", "float32"): {"sparse/torch": 7.0, "sparse/exact": 3.2},
    ("sparse", "bfloat16"): {"sparse/torch": 11.0, "sparse/exact": 3.2},
    ("decode", "float32"): {"exact/torch": 1.7, "sparse/torch": 3.5, "sparse/exact": 2.0},
    ("decode", "bfloat16"): {"exact/torch": 3.3, "sparse/torch": 3.5, "sparse/exact": 2.0},
}
WIDTH = 170
"""Columns of the table: one line a row."""
LONG_BAR = 6.0
"""Bar of sparse/torch in float32 from 16384 positions on."""
COUNTED = {"exact": 1.0, "backward": 3.5, "sparse": 1.0}
"""Operations of what is timed, in those of a forward pass."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the table."""

    kind: str
    length: int
    dtype: str
    is_causal: bool

    @property
    def bars(self) -> dict[str, float]:
        """The ratios that this row must reach."""
        kind = "decode" if self.kind == "large" else self.kind
        bars = dict(BARS[kind, self.dtype])
        if kind == "sparse" and self.length >= 16384 and self.dtype == "float32":
            bars["sparse/torch"] = LONG_BAR
        return bars

    @property
    def decodes(self) -> bool:
        """Whether there is one query a head."""
        return self.kind in ("decode", "large")

    def work(self) -> tuple[str, float]:
        """Return what limits the exact call, and how much of it the call needs."""
        if self.decodes:
            size = torch.finfo(DTYPES[self.dtype]).bits // 8
            return "stream", 2.0 * HEADS * self.length * SIZE * size
        flops = 4.0 * HEADS * self.length**2 * SIZE * COUNTED[self.kind]
        return self.dtype, flops / (2 if self.is_causal else 1)


def cases(kinds: list[str], lengths: dict[str, tuple[int, ...]]) -> Iterator[Case]:
    """Yield what is measured."""
    for kind in kinds:
        for length in lengths[kind]:
            for dtype in DTYPES:
                for is_causal in (False,) if kind in ("decode", "large") else (False, True):
                    yield Case(kind, length, dtype, is_causal)


def calls_of(case: Case) -> Calls:
    """Return what is compared; the selection is part of every sparse call."""
    queries = 1 if case.decodes else case.length
    dtype = DTYPES[case.dtype]
    q = torch.randn(1, HEADS, queries, SIZE, dtype=dtype)
    k, v = (torch.randn(1, HEADS, case.length, SIZE, dtype=dtype) for _ in range(2))
    if case.kind == "large" and not use_large_pages(k, v):
        raise SystemExit("this system grants no large pages; leave `large` out with --only")
    is_causal = case.is_causal
    calls: Calls = {
        "torch": lambda: sdpa(q, k, v, is_causal=is_causal),
        "exact": lambda: attention(q, k, v, is_causal=is_causal),
    }
    if case.dtype != "float32" and case.kind != "backward":
        q32, k32, v32 = (each.float() for each in (q, k, v))
        calls["torch32"] = lambda: sdpa(q32, k32, v32, is_causal=is_causal)
    if case.kind == "sparse":
        calls["sparse"] = lambda: sparse(q, k, v, is_causal=is_causal, keep=KEEP)
    if case.decodes:
        pages = PageBounds(k)
        calls["sparse"] = lambda: sparse_decode(q, k, v, pages, keep=KEEP)
    if case.kind == "backward":
        inputs = [each.requires_grad_() for each in (q, k, v)]
        slope = torch.randn_like(q)
        return {name: partial(both_ways, call, inputs, slope) for name, call in calls.items()}
    return calls


def both_ways(call: Callable[[], Any], inputs: list[torch.Tensor], slope: torch.Tensor) -> None:
    """Run a call forward and backward."""
    torch.autograd.grad(call(), inputs, slope)


def limit(kind: str, data: torch.Tensor) -> float:
    """Return operations or bytes a second that this machine does at most just now."""
    found = library.kernels()
    if found is None:
        return 0.0
    best, threads = 0.0, torch.get_num_threads()
    for _ in range(3):
        before = time.perf_counter()
        if kind == "stream":
            done = found.probe(kind, threads=threads, n=data.numel(), data=data)
        else:
            done = found.probe(kind, threads=threads, n=300_000)
            done = done or found.probe("float32", threads=threads, n=300_000)
        best = max(best, done / (time.perf_counter() - before))
    return best


def measured(case: Case, budget_s: float, least: int, data: torch.Tensor) -> dict[str, Any]:
    """Return the row of a case."""
    calls = calls_of(case)
    kind, work = case.work()
    most = limit(kind, data)
    waste = torch.empty(EVICTED_BYTES // 4)
    evict = partial(waste.add_, 1) if case.decodes else None
    took = paired.rounds(calls, budget_s, least=least, most=MOST_ROUNDS, between=evict)
    most = max(most, limit(kind, data))
    row: dict[str, Any] = dataclasses.asdict(case)
    row |= {f"{name}_ms": round(1e3 * statistics.median(t), 3) for name, t in took.items()}
    for fast, slow in (("exact", "torch"), ("sparse", "torch"), ("sparse", "exact")):
        if fast in took:
            row[f"{fast}/{slow}"] = paired.ratio(took[slow], took[fast])
    if "torch32" in took:
        row["best/torch32"] = paired.ratio(took["torch32"], took.get("sparse", took["exact"]))
    row["exact_per_s"] = work / statistics.median(took["exact"])
    row["limit_per_s"] = most
    row["met"] = {name: row[name]["median"] >= bar for name, bar in case.bars.items()}
    return row | {"rounds": len(took["torch"])}


def shown(rows: list[dict[str, Any]]) -> Table:
    """Return the rows as a table."""
    ratios = ("exact/torch", "sparse/torch", "sparse/exact", "best/torch32")
    table = Table(title="Times of the slower over the faster; median [nine tenths]")
    for name in ("case", *ratios, "of the limit", "bars"):
        table.add_column(name, justify="left" if name in ("case", "bars") else "right")
    for row in rows:
        cells = [f"{row['kind']} {row['length']} {row['dtype']}" + " causal" * row["is_causal"]]
        for name in ratios:
            found = row.get(name)
            cells.append("{median:.2f} [{low:.2f}, {high:.2f}]".format(**found) if found else "")
        most = row["limit_per_s"]
        cells.append(f"{row['exact_per_s'] / most:.0%} of {most / 1e9:.0f} G/s" if most else "")
        bars = Case(row["kind"], row["length"], row["dtype"], row["is_causal"]).bars
        verdicts = {True: "[green]met[/green]", False: "[red]not met[/red]"}
        cells.append(
            ", ".join(
                f"{name} >= {bar:g} {verdicts[row['met'][name]]}" for name, bar in bars.items()
            )
        )
        table.add_row(*cells)
    return table


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--lengths", nargs="*", type=int, help="in place of the usual ones")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--budget-s", type=float, help="seconds a case; 3, and 1 with --quick")
    parser.add_argument("--quick", action="store_true", help="fewer lengths and rounds, 3 minutes")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    lengths = QUICK if arguments.quick else LENGTHS
    if arguments.lengths:
        lengths = {kind: tuple(arguments.lengths) for kind in KINDS}
    budget_s = arguments.budget_s or (1.0 if arguments.quick else 3.0)
    data, console = torch.ones(32 << 20), Console(stderr=arguments.json, width=WIDTH)
    before, rows = paired.machine(), []
    for case in cases(arguments.only, lengths):
        row = measured(case, budget_s, 3 if arguments.quick else 5, data)
        rows.append(row)
        console.print(f"{case}: {row['met']}", highlight=False)
    if arguments.json:
        print(json.dumps({"before": before, "after": paired.machine(), "rows": rows}, indent=2))
    else:
        console.print(shown(rows), before, paired.machine())


if __name__ == "__main__":
    main()
