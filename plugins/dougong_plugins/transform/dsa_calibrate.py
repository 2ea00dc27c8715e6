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

import torch
from torch import Tensor, nn

from dougong_plugins.attention.dsa.attaching import Attached, attentions
from dougong_plugins.attention.dsa.curve import curve
from dougong_plugins.attention.dsa.learned import Learned
from dougong_plugins.attention.dsa.learned import made as made_of
from dougong_plugins.attention.dsa.learning import Learning, Schedule
from dougong_plugins.attention.dsa.lightning import Sizes
from dougong_plugins.attention.dsa.saving import load_indexers, save_indexers
from dougong_plugins.attention.dsa.selectors import Selector, TopK

_SIZES = {"low-rank": 16, "lightning": 32}


def dsa_calibrate(
    model: nn.Module,
    *,
    calibration: Sequence[Tensor] = (),
    selector: Selector | None = None,
    kind: str = "low-rank",
    rate: float = 2e-3,
    rows: int = 256,
    updates: int = 4,
    index_heads: int = 4,
    index_size: int | None = None,
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
        calibration: Windows of token ids, int64, (T,) or (B, T); each is read once. `low-rank`
            indexers are fitted in closed form from the first sixth.
        selector: The budget; the 204 best keys of each query if None.
        kind: `low-rank` (a few dimensions of every head) or `lightning` (a few small heads).
        rate: Step size of Adam, falling to nothing as a cosine.
        rows: Queries looked at of each window.
        updates: Steps taken from each window, on as many parts of those queries.
        index_heads: Heads of a `lightning` indexer.
        index_size: Size of an indexer's head; 16 for `low-rank`, 32 for `lightning` if None.
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
    if load_from is not None:
        indexers = load_indexers(load_from)
    else:
        indexers = _indexers(made, kind, index_heads, index_size, seed)
    attached = Attached(made, indexers, selector if selector is not None else TopK(204))
    made.__dict__["dsa"] = attached
    windows = [window.reshape(-1, window.shape[-1]) for window in calibration]
    if windows:
        fit = 0 if load_from is not None else max(1, len(windows) // 6)
        schedule = Schedule(
            windows=len(windows), fit=fit, rate=rate, rows=rows, updates=updates, seed=seed
        )
        losses = _teach(made, attached, windows, schedule, quiet)
        if plot_to is not None and any(map(math.isfinite, losses)):
            label = "KL(attention || indexer), nats, mean of layers"
            Path(plot_to).write_text(curve(losses, label))
    if save_to is not None:
        save_indexers(indexers, save_to)
    return made


def _indexers(
    model: nn.Module, kind: str, index_heads: int, index_size: int | None, seed: int
) -> list[Learned]:
    found = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for _, module in attentions(model):
            heads = module.config.num_attention_heads
            sizes = Sizes(
                heads=heads,
                key_heads=heads // module.num_key_value_groups,
                head_size=module.head_dim,
                index_heads=index_heads,
                index_size=_SIZES.get(kind, 0) if index_size is None else index_size,
            )
            found.append(made_of(kind, sizes).to(next(module.parameters()).device))
    return found


def _teach(
    model: nn.Module,
    attached: Attached,
    windows: Sequence[Tensor],
    schedule: Schedule,
    quiet: bool,
) -> list[float]:
    """Let the indexers learn, and return the loss at each window."""
    # The base alone: the logits are not needed.
    base = getattr(model, "base_model", model)
    learning = Learning(attached, schedule)
    losses: list[float] = []
    for window in _told(windows, losses, quiet):
        losses.append(learning.read(base, window))
    learning.end()
    return losses


def _told(windows: Sequence[Tensor], losses: list[float], quiet: bool) -> Iterator[Tensor]:
    """Yield the windows and show how far it is."""
    from rich import progress as bars

    columns = (
        bars.TextColumn("calibrating"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[loss]}"),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, disable=quiet) as progress:
        task = progress.add_task("", total=len(windows), loss="")
        for window in windows:
            yield window
            progress.update(task, advance=1, loss=f"{losses[-1]:.3f} nats")
