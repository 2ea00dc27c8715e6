"""What a swap costs: per call, and to plan and apply.

Per call: a swapped module against an `nn.Module` that calls the same function by hand, with a
second module made by hand as the control (A/A). The three are timed in turn, in changing order, in
several fresh processes with one thread; the operators return their input, so that nothing hides
the cost of the call itself. `attention` is a whole attention module of transformers: swapped with
an operator, against the same operator registered by hand in transformers' attention interface. A
cost passes where
its median is no more than the largest difference that the control showed.

To plan and apply: 200 modules, and a MiniLM of the real size, with the quick check; the first time
in a process (which imports the operators and contracts) and later times.

    python benchmarks/swap_overhead.py [--processes 5] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import dougong

BAR_MS = 50.0
ROUNDS = 60
BATCH_S = 0.0015
"""Seconds of calls that are timed as one."""
REPEATS = 15

RMS, LAYER, GELU, SWIGLU = "bench/rms", "bench/layer", "bench/gelu", "bench/swiglu"


def rms(x: Any, weight: Any = None, *, eps: float) -> Any:
    return x


def layer(x: Any, weight: Any = None, bias: Any = None, *, eps: float) -> Any:
    return x


def gelu(x: Any, *, approximate: str = "none") -> Any:
    return x


def swiglu(gate: Any, up: Any) -> Any:
    return gate


@dougong.hookimpl
def dougong_register_norm() -> list[dougong.Operator]:
    return [
        _operator(RMS, "norm.rms@1", "rms"),
        _operator(LAYER, "norm.layer@1", "layer"),
    ]


@dougong.hookimpl
def dougong_register_activation() -> list[dougong.Operator]:
    return [
        _operator(GELU, "activation.gelu@1", "gelu"),
        _operator(SWIGLU, "activation.swiglu@1", "swiglu"),
    ]


def _operator(name: str, contract: str, function: str) -> dougong.Operator:
    return dougong.Operator(
        name=name, contract=contract, target=f"swap_overhead:{function}", gradients="first"
    )


def measured() -> dict[str, Any]:
    """Measure everything once, in this process."""
    import torch

    torch.set_num_threads(1)
    with torch.no_grad():
        plans = {"200 modules": to_plan(_two_hundred()), "MiniLM": to_plan(_minilm())}
        return {"calls": {name: per_call(*made) for name, made in _calls().items()}, "plan": plans}


def _calls() -> dict[str, tuple[Any, ...]]:
    """Return (made by hand, again, swapped, input) by name."""
    # The operators' targets name this module, which as a script has another name.
    import swap_overhead as functions
    import torch
    from torch import nn
    from transformers.models.llama.modeling_llama import LlamaMLP

    class HandRMS(nn.RMSNorm):
        def forward(self, x: Any) -> Any:
            return functions.rms(x, self.weight, eps=self.eps)

    class HandLayer(nn.LayerNorm):
        def forward(self, input: Any) -> Any:
            return functions.layer(input, self.weight, self.bias, eps=self.eps)

    class HandGELU(nn.GELU):
        def forward(self, input: Any) -> Any:
            return functions.gelu(input, approximate=self.approximate)

    class HandMLP(LlamaMLP):
        def forward(self, x: Any) -> Any:
            return self.down_proj(functions.swiglu(self.gate_proj(x), self.up_proj(x)))

    x = torch.randn(2, 64)
    config = _llama_config()
    makers: dict[str, tuple[Callable[[], Any], Callable[[], Any], str, str]] = {
        "norm.rms": (lambda: HandRMS(64, eps=1e-6), lambda: nn.RMSNorm(64, eps=1e-6), RMS, ""),
        "norm.layer": (lambda: HandLayer(64), lambda: nn.LayerNorm(64), LAYER, ""),
        "activation.gelu": (HandGELU, nn.GELU, GELU, ""),
        "activation.swiglu": (lambda: HandMLP(config), lambda: LlamaMLP(config), SWIGLU, ""),
    }
    made = {}
    for contract, (by_hand, plain, operator, _) in makers.items():
        swapped = _swapped(plain(), contract, operator, "swap_overhead")
        made[contract] = (by_hand().eval(), by_hand().eval(), swapped, (x,), {})
    return {**made, "attention": _attention(config)}


def _llama_config() -> Any:
    from transformers import LlamaConfig

    sizes = {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 4}
    return LlamaConfig(**sizes, num_hidden_layers=1, vocab_size=16, attn_implementation="sdpa")


def _attention(config: Any) -> tuple[Any, ...]:
    import copy

    import torch
    from transformers import AttentionInterface
    from transformers.models.llama.modeling_llama import LlamaAttention

    from dougong_plugins.attention.torch_sdpa import torch_sdpa

    def by_hand(module: Any, q: Any, k: Any, v: Any, mask: Any, **rest: Any) -> tuple[Any, None]:
        causal = mask is None and q.shape[2] > 1 and module.is_causal
        out = torch_sdpa(q, k, v, mask=mask, is_causal=causal, scale=rest["scaling"])
        return out.transpose(1, 2).contiguous(), None

    AttentionInterface.register("by_hand", by_hand)
    hand = copy.copy(config)
    hand._attn_implementation_internal = "by_hand"
    modules = [LlamaAttention(each, 0).eval() for each in (hand, hand, config)]
    modules[2] = _swapped(modules[2], "attention.exact", "dougong/torch-sdpa", "dougong_plugins")
    turned = (torch.ones(1, 8, 16), torch.zeros(1, 8, 16))
    rest = {"position_embeddings": turned, "attention_mask": None}
    return (*modules, (torch.randn(1, 8, 64),), rest)


def _swapped(module: Any, contract: str, operator: str, plugin: str) -> Any:
    catalogue = dougong.Catalogue.load([plugin])
    module.eval()
    dougong.plan(module, {contract: operator}, catalogue=catalogue).apply(check="none")
    return module


def per_call(hand: Any, again: Any, swapped: Any, args: Any, rest: Any) -> dict[str, float]:
    """Return nanoseconds: a call by hand, the control's difference and the swap's."""
    modules = (hand, again, swapped)
    for module in modules:
        once = _timed(module, args, rest, 200)
    count = max(20, round(BATCH_S * 1e9 / once))
    orders = itertools.cycle(itertools.permutations(range(3)))
    took: list[list[float]] = [[], [], []]
    for order in itertools.islice(orders, ROUNDS):
        for which in order:
            took[which].append(_timed(modules[which], args, rest, count))
    control, added = (
        statistics.median(b - a for a, b in zip(took[0], took[which], strict=True))
        for which in (1, 2)
    )
    return {"by_hand": statistics.median(took[0]), "control": control, "added": added}


def _timed(module: Any, args: Any, rest: Any, count: int) -> float:
    started = time.perf_counter_ns()
    for _ in range(count):
        module(*args, **rest)
    return (time.perf_counter_ns() - started) / count


def to_plan(made: tuple[Any, dict[Any, str]]) -> dict[str, float]:
    """Return milliseconds for `plan` and `apply`, the first time and later."""
    model, choices = made
    times = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        handle = dougong.plan(model, choices).apply()
        times.append(1e3 * (time.perf_counter() - started))
        handle.revert()
    return {"first": times[0], "later": statistics.median(times[1:]), "slowest": max(times[1:])}


def _two_hundred() -> tuple[Any, dict[Any, str]]:
    from torch import nn

    def block() -> Sequence[nn.Module]:
        return nn.LayerNorm(64), nn.RMSNorm(64, eps=1e-6), nn.GELU(), nn.SiLU()

    model = nn.Sequential(*[module for _ in range(50) for module in block()]).eval()
    assert len(model) == 200
    kinds = {"norm.layer": "layer", "norm.rms": "rms"}
    kinds |= {"activation.gelu": "gelu", "activation.silu": "silu"}
    return model, {contract: f"dougong/{name}-torch" for contract, name in kinds.items()}


def _minilm() -> tuple[Any, dict[Any, str]]:
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 384, "intermediate_size": 1536}
    config = BertConfig(**sizes, num_hidden_layers=6, num_attention_heads=12, vocab_size=1000)
    choices = {"attention.exact": "dougong/torch-sdpa", "norm.layer": "dougong/layer-torch"}
    return BertModel(config).eval(), {**choices, "activation.gelu": "dougong/gelu-torch"}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Merge the processes and hold each row to its bar."""
    calls = {}
    for name in runs[0]["calls"]:
        rows = [run["calls"][name] for run in runs]
        added, control = ([row[key] for row in rows] for key in ("added", "control"))
        noise = max(map(abs, control))
        calls[name] = {
            "by_hand_ns": round(statistics.median(row["by_hand"] for row in rows), 1),
            "added_ns": _spread(added),
            "control_ns": _spread(control),
            "passed": statistics.median(added) <= noise,
        }
    plans = {
        name: {
            **{f"{key}_ms": _spread([run["plan"][name][key] for run in runs]) for key in kinds},
            "passed": statistics.median(run["plan"][name]["later"] for run in runs) < BAR_MS,
        }
        for kinds in [("first", "later", "slowest")]
        for name in runs[0]["plan"]
    }
    return {"calls": calls, "plan": plans}


def _spread(values: list[float]) -> dict[str, float]:
    ends = {"low": min(values), "median": statistics.median(values), "high": max(values)}
    return {name: round(value, 1) for name, value in ends.items()}


def show(found: dict[str, Any]) -> None:
    """Print the two tables."""
    print(f"{'added per call, ns':22}{'by hand':>9}{'added':>8}   {'low to high':18}control")
    for name, row in found["calls"].items():
        added, control = row["added_ns"], row["control_ns"]
        ends = f"{added['low']:.1f} to {added['high']:.1f}"
        noise = f"{control['low']:.1f} to {control['high']:.1f}"
        verdict = "within noise" if row["passed"] else "MISSED"
        line = f"{name:22}{row['by_hand_ns']:9.0f}{added['median']:8.1f}   {ends:18}{noise:18}"
        print(f"{line}{verdict}")
    print(f"\n{'plan + apply, ms':22}{'later':>9}   {'low to high':18}{'first':>7}")
    for name, row in found["plan"].items():
        later = row["later_ms"]
        ends = f"{later['low']:.1f} to {later['high']:.1f}"
        verdict = f"under {BAR_MS:.0f}" if row["passed"] else "MISSED"
        line = f"{name:22}{later['median']:9.1f}   {ends:18}{row['first_ms']['median']:7.1f}"
        print(f"{line}   {verdict}")


def main() -> int:
    """Print tables, or JSON; exit 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured()))
        return 0
    command = [sys.executable, __file__, "--one"]
    runs = [
        json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        for _ in range(arguments.processes)
    ]
    found = summary(runs)
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)
    return int(not all(row["passed"] for table in found.values() for row in table.values()))


if __name__ == "__main__":
    raise SystemExit(main())
