"""Train the task models anew: `python -m dougong_ci.quality.train [NAME ...]`.

The weights in `weights/` were made by this program, from the text that comes with Python and from
generated sequences; nothing was downloaded. It takes some 5 minutes a model on an idle core. Other
machines round differently, so that other weights of the same quality come out.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dougong.contracts.backend.models import Mlp
from dougong_ci.quality import model, quantized, tasks
from dougong_ci.quality.model import FINDER, LM, READER, SPECS, Attend, Spec, TaskModel
from dougong_ci.quality.tasks import Batch

WEIGHTS = Path(__file__).parent / "weights"
_TOKENS = 4096
"""Of one step."""
_STEPS = {LM.name: 1500, FINDER.name: 1500, READER.name: 1200}
_MLP_STEPS = 6000
_PEAK = 3e-3
_WARM = 100
_SEED = 20261125


def fused(*, is_causal: bool) -> Attend:
    """Return exact attention as torch does it, for training."""

    def attend(q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, *, mask: Tensor | None) -> Tensor:
        out: Tensor = functional.scaled_dot_product_attention(
            q_BHTD, k_BHTD, v_BHTD, attn_mask=mask, is_causal=is_causal
        )
        return out

    return attend


def loss_of(net: TaskModel, batch: Batch, attend: Attend) -> Tensor:
    """Return the mean cross-entropy over what is asked, in nats."""
    logits_BTV = net(batch.tokens_BT, attend, batch.mask)
    return functional.cross_entropy(
        logits_BTV.flatten(0, 1), batch.targets_BT.flatten(), ignore_index=tasks.IGNORED
    )


def _length(progress: float, longest: int, source: Generator) -> int:
    """Return a length that grows with the training: 64 at first, up to the longest."""
    lengths = [length for length in (64, 128, 256, 512, 1024) if length <= longest]
    count = min(len(lengths), 1 + int(progress * 1.6 * len(lengths)))
    return lengths[int(torch.randint(0, count, (1,), generator=source))]


def _english(count: int, T: int, source: Generator) -> Batch:
    if torch.rand((), generator=source) < 0.5:
        return tasks.retold(count, T, source)
    return tasks.text(count, T, source, held_out=False)


def _synthetic(count: int, T: int, source: Generator, *, ordered: bool) -> Batch:
    kind = int(torch.randint(0, 3 if ordered else 2, (1,), generator=source))
    if kind == 0:
        return tasks.needle(count, T, 1, source)
    if kind == 1 or T < 64:
        pairs = int(torch.randint(1, min(64, T // 8) + 1, (1,), generator=source))
        batch = tasks.recall(count, T, pairs, source, ordered=ordered)
        if not ordered and torch.rand((), generator=source) < 0.5:
            batch = tasks.padded(batch, source)
        return batch
    length = int(torch.randint(8, min(80, T // 3) + 1, (1,), generator=source))
    return tasks.copy(count, T, length, source)


def drawer(spec: Spec, steps: int) -> Callable[[int, Generator], Batch]:
    """Return the function that draws the batch of a step."""

    def draw(step: int, source: Generator) -> Batch:
        T = _length(step / steps, 1024 if spec.is_causal else 512, source)
        count = max(1, _TOKENS // T)
        if spec is LM:
            return _english(count, T, source)
        return _synthetic(count, T, source, ordered=spec.is_causal)

    return draw


def train(spec: Spec, steps: int | None = None) -> TaskModel:
    """Train one model from nothing and return it."""
    steps = _STEPS[spec.name] if steps is None else steps
    torch.manual_seed(_SEED)
    source = Generator().manual_seed(_SEED)
    net, attend, draw = TaskModel(spec), fused(is_causal=spec.is_causal), drawer(spec, steps)
    for name, weight in net.named_parameters():
        if name in ("here.weight", "before.weight"):
            torch.nn.init.normal_(weight, std=0.3)
    optimizer = torch.optim.AdamW(net.parameters(), lr=_PEAK, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min(1.0, (s + 1) / _WARM) * max(0.02, 1 - s / steps)
    )
    began, smooth = time.perf_counter(), 0.0
    for step in range(steps):
        loss = loss_of(net, draw(step, source), attend)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch does not annotate it
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        smooth = 0.98 * smooth + 0.02 * loss.item() if step else loss.item()
        if (step + 1) % 50 == 0:
            took_s = time.perf_counter() - began
            print(
                f"{spec.name} step {step + 1}/{steps} loss {smooth:.3f} {took_s:.0f} s", flush=True
            )
    return net


def train_mlp(steps: int = _MLP_STEPS) -> nn.Module:
    """Train the model that transforms are judged on."""
    torch.manual_seed(_SEED)
    source = Generator().manual_seed(_SEED)
    net = Mlp(quantized.WIDTH, quantized.DEPTH, quantized.CLASSES)
    optimizer = torch.optim.AdamW(net.parameters(), lr=_PEAK)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        context, target = quantized.contexts(512, source, held_out=False)
        loss = functional.cross_entropy(net(quantized.embedded(context)), target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch does not annotate it
        optimizer.step()
        schedule.step()
        if (step + 1) % 1000 == 0:
            print(f"mlp step {step + 1}/{steps} loss {loss.item():.3f}", flush=True)
    return net


def main(names: list[str]) -> None:
    """Train the models named, or all, and write their weights."""
    WEIGHTS.mkdir(exist_ok=True)
    makers: dict[str, Callable[[], nn.Module]] = {
        spec.name: functools.partial(train, spec) for spec in SPECS
    }
    makers["mlp"] = train_mlp
    for name, make in makers.items():
        if not names or name in names:
            data = model.packed(make())
            (WEIGHTS / f"{name}.npz").write_bytes(data)
            print(f"{name}: {len(data)} bytes", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
