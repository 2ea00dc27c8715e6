"""A model turned into one of dynamic sparse attention, its indexers taught by its own attention.

Papers: DeepSeek-AI, "DeepSeek-V3.2-Exp", 2025, sec. 2.1.1 (dense warm-up: the model is frozen, the
indexers learn its attention); Gao et al., "SeerAttention", 2024, arXiv:2410.13276 (self-distilled
gate).
Differs from the papers: a few hundred queries of each window are looked at, drawn anew each time.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from dougong_plugins.attention.dsa.attaching import Attached, Layer, attentions
from dougong_plugins.attention.dsa.curve import curve
from dougong_plugins.attention.dsa.distilling import divergence
from dougong_plugins.attention.dsa.lightning import Lightning, Sizes
from dougong_plugins.attention.dsa.saving import load_indexers, save_indexers
from dougong_plugins.attention.dsa.selectors import Selector, TopK


def dsa_calibrate(
    model: nn.Module,
    *,
    calibration: Sequence[Tensor] = (),
    selector: Selector | None = None,
    steps: int | None = None,
    rate: float = 2e-3,
    rows: int = 256,
    updates: int = 4,
    index_heads: int = 4,
    index_size: int = 32,
    seed: int = 0,
    load_from: Path | str | None = None,
    save_to: Path | str | None = None,
    plot_to: Path | str | None = None,
    quiet: bool = False,
) -> nn.Module:
    """Return a copy of the model whose attention keeps what learned indexers rank highest.

    The copy has an attribute `dsa` (`Attached`): `dsa.revert()` makes it the dense model again, to
    the bit; `dsa.report()` says what was kept. The weights of the copy are those of the model.

    Args:
        model: A causal language model of transformers with attention implementation `sdpa`. Never
            changed.
        calibration: Windows of token ids, int64, (T,) or (B, T); taken in turn.
        selector: The budget; the 204 best keys of each query if None.
        steps: How many windows are learned from; each once if None.
        rate: Step size of Adam, falling to nothing as a cosine.
        rows: Queries looked at of each window.
        updates: Steps taken from each window, on as many parts of those queries.
        index_heads: Heads of an indexer.
        index_size: Size of one.
        seed: Of the first weights and of the queries drawn.
        load_from: Indexers of an earlier run, instead of or before more steps.
        save_to: Where the indexers are written (safetensors).
        plot_to: Where the curve of the loss is written (SVG).
        quiet: Show no progress.

    Raises:
        ValueError: there is neither a window nor a file to load from, or the model has no attention
            that can be swapped.
    """
    if not len(calibration) and load_from is None:
        raise ValueError("calibration must hold windows of token ids, or load_from name a file")
    made = copy.deepcopy(model).eval()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        indexers = _indexers(made, index_heads, index_size)
    if load_from is not None:
        indexers = load_indexers(load_from)
    attached = Attached(made, indexers, selector if selector is not None else TopK(204))
    made.__dict__["dsa"] = attached
    steps = len(calibration) if steps is None else steps
    if len(calibration) and steps:
        learning = _Learning(
            attached, rate=rate, steps=steps, rows=rows, updates=updates, seed=seed
        )
        losses = [
            learning.step(made, window) for window in _told(calibration, steps, quiet, learning)
        ]
        learning.end()
        if plot_to is not None:
            Path(plot_to).write_text(
                curve(losses, "KL(attention || indexer), nats, mean of layers")
            )
    if save_to is not None:
        save_indexers(indexers, save_to)
    return made


class _Learning:
    """Teaches all indexers of a model, layer by layer, while it reads."""

    def __init__(
        self, attached: Attached, *, rate: float, steps: int, rows: int, updates: int, seed: int
    ) -> None:
        self._attached, self._rate, self._steps = attached, rate, steps
        self._rows, self._updates = rows, updates
        self._source = Generator().manual_seed(seed)
        self._optimizers = {
            layer.name: torch.optim.Adam(_weights(layer), lr=rate, betas=(0.9, 0.98), fused=True)
            for layer in attached.layers
        }
        self._losses: list[float] = []
        self._step = 0
        self.last = math.nan
        attached.set(sparse=False)
        for layer in attached.layers:
            layer.watch = self._watch

    def step(self, model: nn.Module, window: Tensor) -> float:
        """Learn from one window; the mean loss of the layers, in nats."""
        self._losses.clear()
        with torch.no_grad():
            # The base alone: the logits are not needed.
            base = getattr(model, "base_model", model)
            base(window.reshape(-1, window.shape[-1]), use_cache=False)
        self._step += 1
        self.last = sum(self._losses) / len(self._losses)
        return self.last

    def end(self) -> None:
        """Let the layers attend sparsely."""
        self._attached.set(sparse=True)
        for layer in self._attached.layers:
            layer.watch = None

    def _watch(self, layer: Layer, q_BHTD: Tensor, k_BKSD: Tensor, scale: float | None) -> None:
        T, optimizer = q_BHTD.shape[2], self._optimizers[layer.name]
        indexer: Any = layer.indexer
        optimizer.param_groups[0]["lr"] = self._rate * (
            0.5 + 0.5 * math.cos(math.pi * self._step / self._steps)
        )
        drawn = torch.randperm(T, generator=self._source)[: self._rows].to(q_BHTD.device)
        for rows in drawn.chunk(self._updates):
            optimizer.zero_grad()
            with torch.enable_grad():
                loss = divergence(indexer, q_BHTD, k_BKSD, scale=scale, rows=rows)
                loss.backward()  # type: ignore[no-untyped-call] # torch does not annotate it
            optimizer.step()
            self._losses.append(float(loss.detach()))


def _weights(layer: Layer) -> list[nn.Parameter]:
    if not isinstance(layer.indexer, Lightning):
        raise TypeError(f"{layer.name} must have a Lightning to learn, got {layer.indexer!r}")
    return list(layer.indexer.parameters())


def _indexers(model: nn.Module, index_heads: int, index_size: int) -> list[Lightning]:
    found = []
    for _, module in attentions(model):
        config = module.config
        sizes = Sizes(
            heads=config.num_attention_heads,
            key_heads=config.num_attention_heads // module.num_key_value_groups,
            head_size=module.head_dim,
            index_heads=index_heads,
            index_size=index_size,
        )
        found.append(Lightning(sizes).to(next(module.parameters()).device))
    return found


def _told(
    calibration: Sequence[Tensor], steps: int, quiet: bool, learning: _Learning
) -> Iterator[Tensor]:
    """Yield the windows in turn and show how far it is."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("calibrating"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, disable=quiet) as progress:
        task = progress.add_task("", total=steps, loss="")
        for i in range(steps):
            yield calibration[i % len(calibration)]
            progress.update(task, advance=1, loss=f"{learning.last:.3f} nats")
