"""Norms and activations in C++ against torch, eager and compiled, and against the memory's limit.

Residual addition with RMSNorm and LayerNorm, the norms alone, GroupNorm, GELU, SiLU, squared ReLU
and SwiGLU; forward, and forward with backward; from 64x512 to 8192x4096. A round calls the three in
turn; ratios are medians over rounds with a 90 % bootstrap interval. The limit is the time to copy
as many bytes into new memory of large pages, which is what a result is written to: a share of 1
means that the kernel costs nothing beside reading its inputs and writing its outputs once.

Bars: >= 1.5 times eager everywhere and at least as fast as compiled (at the interval's upper end);
>= 0.8 of the limit at 8192x4096, forward.

    python benchmarks/rows_kernels.py [--quick] [--only add-rms ...] [--threads 2] [--json]

`--quick` takes float32, three sizes, the five fused cases and compiles only the forward pass.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import paired
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from dougong.contracts import contract
from dougong.operator import resolve
from dougong_kernels import ACTIVATIONS, NORMS

SIZES = ((64, 512), (512, 2048), (2048, 4096), (8192, 4096))
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
LARGEST = "8192x4096"
QUICK = ("add-rms", "add-layer", "group", "gelu", "swiglu")
EAGER_BAR, LIMIT_BAR = 1.5, 0.8
EXTRA: dict[str, dict[str, Any]] = {
    "rms": {"eps": 1e-6},
    "layer": {"eps": 1e-5},
    "add-rms": {"eps": 1e-6},
    "add-layer": {"eps": 1e-5},
    "group": {"eps": 1e-5},
}
Function = Callable[..., Any]


def operators(only: list[str]) -> Iterator[tuple[str, Function, Function]]:
    """Yield short name, the operator, and the contract's own baseline by torch."""
    for operator in (*NORMS, *ACTIVATIONS):
        name = operator.name.removeprefix("dougong/").removesuffix("-fused")
        if only and name not in only:
            continue
        baseline = resolve(contract(operator.contract).baselines["torch"])
        yield name, operator.load(), baseline
        if name == "gelu" and not only:
            fixed = (functools.partial(f, approximate="tanh") for f in (operator.load(), baseline))
            yield "gelu-tanh", *fixed


def arguments_of(name: str, shape: tuple[int, int], dtype: torch.dtype) -> list[Any]:
    """Return what an operator is called with; the first tensors are inputs, the rest parameters."""
    rows, width = shape
    x, other = (torch.randn(shape).to(dtype) for _ in range(2))
    weight, bias = (torch.randn(width).to(dtype) for _ in range(2))
    match name:
        case "rms":
            return [x, weight]
        case "layer":
            return [x, weight, bias]
        case "add-rms":
            return [x, other, weight]
        case "add-layer":
            return [x, other, weight, bias]
        case "group":
            channels = 64
            return [x.view(rows // 16, channels, -1), 8, weight[:channels], bias[:channels]]
        case "swiglu":
            return [x, other]
    return [x]


def both_ways(function: Function, given: list[Any], slopes: list[Tensor]) -> Any:
    """Run forward and backward; gradients of every tensor given."""
    leaves = [each for each in given if isinstance(each, Tensor)]
    made = function(*given)
    outputs = made if isinstance(made, tuple) else (made,)
    return torch.autograd.grad(outputs, leaves, slopes)


def copies_into_new_memory(x: Tensor) -> Callable[[], Tensor]:
    """Return a copy of x into memory that is new, of large pages where the system has them."""
    libc, size = ctypes.CDLL(None), x.numel() * x.element_size()

    def copy() -> Tensor:
        made = torch.empty_like(x)
        if size >= 4 << 20:
            first = (made.data_ptr() + 4095) & ~4095
            length = (made.data_ptr() + size - first) & ~4095
            libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(length), 14)  # MADV_HUGEPAGE
        return made.copy_(x)

    return copy


def cases(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield one measured row a case."""
    only = arguments.only or (list(QUICK) if arguments.quick else [])
    for name, ours, eager in operators(only):
        for dtype_name in ("float32",) if arguments.quick else DTYPES:
            for shape in (SIZES[0], SIZES[1], SIZES[3]) if arguments.quick else SIZES:
                for direction in ("forward", "both"):
                    row = {
                        "operator": name,
                        "dtype": dtype_name,
                        "size": "x".join(map(str, shape)),
                        "direction": direction,
                    }
                    yield row | measured(row, ours, eager, shape, arguments)


def measured(
    row: dict[str, Any],
    ours: Function,
    eager: Function,
    shape: tuple[int, int],
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Time one case."""
    name, forward = row["operator"], row["direction"] == "forward"
    given = arguments_of(name, shape, DTYPES[row["dtype"]])
    functions = {"eager": eager, "ours": ours}
    if not arguments.no_compile and (forward or not arguments.quick):
        torch._dynamo.reset()
        functions["compiled"] = torch.compile(eager, dynamic=False)
    bound = {key: functools.partial(f, **EXTRA.get(name, {})) for key, f in functions.items()}
    calls: paired.Calls
    if forward:
        calls = {key: functools.partial(torch.no_grad()(f), *given) for key, f in bound.items()}
        calls["copy"] = copies_into_new_memory(given[0])
    else:
        given = [each.requires_grad_() if isinstance(each, Tensor) else each for each in given]
        slopes = [torch.randn_like(given[0]) for _ in range(2 if name.startswith("add") else 1)]
        calls = {key: functools.partial(both_ways, f, given, slopes) for key, f in bound.items()}
    took = paired.rounds(calls, arguments.budget_s, clock=arguments.clock)
    found: dict[str, Any] = {
        f"{key}_us": round(1e6 * sorted(times)[len(times) // 2], 1) for key, times in took.items()
    }
    found["over_eager"] = paired.ratio(took["eager"], took["ours"])
    if "compiled" in took:
        found["over_compiled"] = paired.ratio(took["compiled"], took["ours"])
    if forward:
        tensors = 4 if name.startswith("add") else 3 if name == "swiglu" else 2
        share = paired.ratio(took["copy"], took["ours"])
        found["of_limit"] = {key: round(value * tensors / 2, 3) for key, value in share.items()}
    return found | {"rounds": len(took["ours"]), "misses": misses(row, found)}


def misses(row: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return the bars that a row misses."""
    wrong = []
    if found["over_eager"]["median"] < EAGER_BAR:
        wrong.append("eager")
    if "over_compiled" in found and found["over_compiled"]["high"] < 1.0:
        wrong.append("compiled")
    at_the_end = row["size"] == LARGEST and "of_limit" in found
    if at_the_end and found["of_limit"]["median"] < LIMIT_BAR:
        wrong.append("limit")
    return wrong


def interval(ratio: dict[str, float] | None) -> str:
    """Return a ratio and its interval as text."""
    return "{median:.2f} [{low:.2f}, {high:.2f}]".format(**ratio) if ratio else ""


def shown(table: list[dict[str, Any]]) -> Table:
    """Return the rows as a table."""
    made = Table("operator", "dtype", "size", "", "us", "x eager", "x compiled", "of limit", "bar")
    for row in table:
        ratios = [row.get(key) for key in ("over_eager", "over_compiled", "of_limit")]
        made.add_row(
            row["operator"],
            row["dtype"],
            row["size"],
            row["direction"],
            f"{row['ours_us']:.0f}",
            *(
                "" if r is None else "{median:.2f} [{low:.2f}, {high:.2f}]".format(**r)
                for r in ratios
            ),
            "misses " + ", ".join(row["misses"]) if row["misses"] else "met",
        )
    return made


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="*", default=[], help="names: add-rms, layer, gelu ...")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--budget-s", type=float, default=0.0, help="seconds a case")
    parser.add_argument("--clock", choices=sorted(paired.CLOCKS), default="wall")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    arguments.budget_s = arguments.budget_s or (0.5 if arguments.quick else 1.5)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    before, table = paired.machine(), []
    for row in cases(arguments):
        table.append(row)
        if not arguments.json:
            said = " ".join(str(row[key]) for key in ("operator", "dtype", "size", "direction"))
            print(said, interval(row["over_eager"]), file=sys.stderr, flush=True)
    if arguments.json:
        print(json.dumps({"before": before, "after": paired.machine(), "rows": table}, indent=2))
        return
    met = sum(not row["misses"] for row in table)
    Console(width=140).print(shown(table), f"{met} of {len(table)} rows meet every bar", before)


if __name__ == "__main__":
    main()
