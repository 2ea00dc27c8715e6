"""Whole transformers: packed linear layers, and everything swapped, against torch and OpenVINO.

MiniLM (8 texts of 128 tokens) and SmolLM2-135M (prefill of 1k and 4k tokens, logits of the last
one), with their real weights on real text. Rows: torch eager and compiled (with freezing, which
packs weights too), OpenVINO, `dougong/packed-linear`, and the whole model swapped: packed linear
layers, attention, norms and activations in C++. A round calls every variant in turn; the ratio is
that of float32 eager to the variant, its median over rounds with a 90 % bootstrap interval. Beside
it: the cosine to float32 eager, and perplexity on the text in percent of float32 eager's.

Bars: packed-linear in float32 >= 1.8x at a cosine of 1; the whole in bfloat16 >= 3x at 4k tokens
with perplexity within 0.1 %.

    python benchmarks/whole_model.py [--quick] [--only MiniLM ...] [--threads 2] [--json]

`benchmarks/real_text.py` says where models and text come from. `--quick` leaves out compiling and
OpenVINO for SmolLM2, which prepare for minutes, and takes fewer rounds.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import math
import warnings
from collections.abc import Callable
from typing import Any

import paired
import real_text
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import dougong
from dougong.catalogue import Catalogue

ENCODER = {
    "norm.layer": "dougong/layer-fused",
    "activation.gelu": "dougong/gelu-fused",
    "attention.exact": "dougong/cpu-attention",
}
DECODER = {
    "norm.rms": "dougong/rms-fused",
    "activation.swiglu": "dougong/swiglu-fused",
    "attention.exact": "dougong/cpu-attention",
}
MINILM, SMOLLM = "MiniLM 8x128", "SmolLM2 {}k"
PACKED_BAR, WHOLE_BAR, PERPLEXITY_BAR = 1.8, 3.0, 0.1
Run = Callable[[Tensor], Tensor]


class Encoder(nn.Module):
    """MiniLM as sentence-transformers uses it: mean over tokens, normalised; no padding here."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        """Return the embeddings of (B, T) token numbers."""
        mean = self.model(input_ids=ids).last_hidden_state.mean(1)
        return nn.functional.normalize(mean, dim=-1)


class Prefill(nn.Module):
    """SmolLM2 up to the logits of the last token."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        """Return (B, 1, vocabulary) of (B, T) token numbers."""
        logits: Tensor = self.model(input_ids=ids, use_cache=False, logits_to_keep=1).logits
        return logits


def packed(model: nn.Module) -> nn.Module:
    """Return the model with packed linear layers."""
    return dougong.transform(model, "dougong/packed-linear")


def whole(model: nn.Module) -> nn.Module:
    """Return the model with packed linear layers and everything else that is known swapped."""
    made = packed(model)
    catalogue = Catalogue.load(["dougong_plugins", "dougong_kernels"])
    choices = ENCODER if isinstance(model, Encoder) else DECODER
    dougong.plan(made, choices, catalogue=catalogue).apply(check="none")
    return made


def openvino(model: nn.Module, ids: Tensor, precision: str) -> Run:
    """Return the model compiled by OpenVINO.

    Raises:
        ImportError: it is not installed.
    """
    import openvino as ov

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = ov.convert_model(model, example_input=ids)
    hints = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = ov.Core().compile_model(graph, "CPU", hints)
    return lambda x: torch.from_numpy(compiled(x.numpy())[0])


def variants(model: nn.Module, ids: Tensor, slow: bool) -> dict[str, Run]:
    """Return what is compared, all prepared; what cannot be says so and is left out."""
    low = copy.deepcopy(model).bfloat16()
    makers: dict[str, Callable[[], Run]] = {
        "eager float32": lambda: model,
        "eager bfloat16": lambda: low,
        "packed-linear float32": lambda: packed(model),
        "packed-linear bfloat16": lambda: packed(low),
        "whole float32": lambda: whole(model),
        "whole bfloat16": lambda: whole(low),
    }
    if slow:
        freeze = functools.partial(torch.compile, options={"freezing": True})
        makers |= {
            "torch.compile float32": lambda: freeze(model),
            "torch.compile bfloat16": lambda: freeze(low),
            "OpenVINO float32": lambda: openvino(model, ids, "f32"),
            "OpenVINO bfloat16": lambda: openvino(model, ids, "bf16"),
        }
    made = {}
    for name, make in makers.items():
        try:
            run = torch.no_grad()(make())
            run(ids)
            made[name] = run
        # A competitor that does not install or convert is a row less, and is said, not hidden.
        except Exception as error:
            Console(stderr=True).print(f"{name}: left out, {type(error).__name__}: {error}"[:300])
    return made


@torch.no_grad()
def perplexity(run: Run, windows: Tensor) -> float | None:
    """Return the perplexity of a variant of SmolLM2; None of one without hidden states."""
    model = getattr(run, "__wrapped__", None)
    if not isinstance(model, Prefill):
        return None
    total = 0.0
    for ids in windows:
        hidden = model.model.model(input_ids=ids[None], use_cache=False).last_hidden_state[0]
        for start in range(0, len(ids) - 1, 512):
            logits = model.model.lm_head(hidden[start : start + 512][: len(ids) - 1 - start])
            wanted = ids[start + 1 : start + 1 + len(logits)]
            total += float(nn.functional.cross_entropy(logits.float(), wanted, reduction="sum"))
    return math.exp(total / (windows.numel() - len(windows)))


def measured(
    name: str, model: nn.Module, windows: Tensor, arguments: argparse.Namespace, slow: bool
) -> list[dict[str, Any]]:
    """Return one row a variant."""
    ids = windows if isinstance(model, Encoder) else windows[:1]
    runs = variants(model, ids, slow)
    calls: paired.Calls = {key: functools.partial(run, ids) for key, run in runs.items()}
    took = paired.rounds(calls, arguments.budget_s, least=arguments.rounds, clock=arguments.clock)
    expected = runs["eager float32"](ids).float()
    base = perplexity(runs["eager float32"], windows)
    rows = []
    for key, run in runs.items():
        cosine = nn.functional.cosine_similarity(run(ids).float(), expected, dim=-1)
        found = base and perplexity(run, windows)
        row = {
            "model": name,
            "variant": key,
            "median_ms": round(1e3 * sorted(took[key])[len(took[key]) // 2], 2),
            "over_eager_float32": paired.ratio(took["eager float32"], took[key]),
            "cosine": round(float(cosine.min()), 7),
            "perplexity": found and round(found, 3),
            "perplexity_percent": found and base and round(100 * (found / base - 1), 4),
        }
        rows.append(row | {"bar": verdict(row)})
    return rows


def verdict(row: dict[str, Any]) -> str:
    """Say whether a row meets its bar, or return an empty string where it has none."""
    fast = row["over_eager_float32"]["median"]
    if row["variant"] == "packed-linear float32":
        return "met" if fast >= PACKED_BAR and row["cosine"] >= 0.99999 else "not met"
    if row["variant"] == "whole bfloat16" and row["model"] == SMOLLM.format(4):
        kept = abs(row["perplexity_percent"]) <= PERPLEXITY_BAR
        return "met" if fast >= WHOLE_BAR and kept else "not met"
    return ""


def rows(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure every model asked for."""
    text, found = real_text.handbook(), []
    names = [MINILM, SMOLLM.format(1), SMOLLM.format(4)]
    wanted = [n for n in names if not arguments.only or any(o in n for o in arguments.only)]
    if MINILM in wanted:
        model, tokenizer = real_text.minilm()
        windows = real_text.windows(tokenizer, text, 8, 128)
        found += measured(MINILM, Encoder(model).eval(), windows, arguments, slow=True)
    if set(wanted) - {MINILM}:
        model, tokenizer = real_text.smollm2()
        for name, length in ((SMOLLM.format(1), 1024), (SMOLLM.format(4), 4096)):
            if name in wanted:
                count = 1 if arguments.quick else 2
                windows = real_text.windows(tokenizer, text, count, length)
                slow = not arguments.quick
                found += measured(name, Prefill(model).eval(), windows, arguments, slow)
    return found


def shown(table: list[dict[str, Any]]) -> Table:
    """Return the rows as a table."""
    made = Table("model", "variant", "ms", "x eager float32", "cosine", "perplexity", "bar")
    for row in table:
        change = row["perplexity_percent"]
        made.add_row(
            row["model"],
            row["variant"],
            f"{row['median_ms']:.1f}",
            "{median:.2f} [{low:.2f}, {high:.2f}]".format(**row["over_eager_float32"]),
            f"{row['cosine']:.6f}",
            "" if change is None else f"{row['perplexity']:.3f} ({change:+.3f} %)",
            row["bar"],
        )
    return made


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="*", default=[], help="parts of model names")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=0, help="fewest rounds")
    parser.add_argument("--budget-s", type=float, default=0.0, help="seconds of rounds a model")
    parser.add_argument("--clock", choices=sorted(paired.CLOCKS), default="wall")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (3 if arguments.quick else 7)
    arguments.budget_s = arguments.budget_s or (5.0 if arguments.quick else 40.0)
    torch.set_num_threads(arguments.threads)
    before, table = paired.machine(), rows(arguments)
    if arguments.json:
        print(json.dumps({"before": before, "after": paired.machine(), "rows": table}, indent=2))
        return
    Console(width=130).print(shown(table), before)


if __name__ == "__main__":
    main()
