"""Teaching the indexers of a model while it reads: its own dense attention is the teacher.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size,
N = rows.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from dougong_plugins.attention.dsa.attaching import Attached, Layer
from dougong_plugins.attention.dsa.distilling import divergence
from dougong_plugins.attention.dsa.learned import Learned
from dougong_plugins.attention.dsa.lowrank import LowRank


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast indexers learn."""

    windows: int
    """All that are read, those of the fit among them."""
    fit: int
    """First windows, from which low-rank indexers are fitted in closed form before they learn."""
    rate: float
    """Step size of Adam at first; it falls to nothing as a cosine."""
    rows: int
    """Queries looked at of each window, drawn anew."""
    updates: int
    """Steps taken from each window, on as many parts of those queries."""
    seed: int


class Learning:
    """Layers learn one by one, in the forward of a frozen model; no gradient leaves a layer."""

    def __init__(self, attached: Attached, schedule: Schedule) -> None:
        self._attached, self._schedule = attached, schedule
        self._source = Generator().manual_seed(schedule.seed)
        self._optimizers = {
            layer.name: torch.optim.Adam(_weights(layer), lr=schedule.rate, betas=(0.9, 0.98))
            for layer in attached.layers
        }
        self._moments: dict[str, list[Tensor]] = {}
        self._scales: dict[str, float | None] = {}
        self._losses: list[float] = []
        self._window = 0
        fits = schedule.fit if _is_low_rank(attached.layers[0]) else 0
        self._fit_windows = min(fits, schedule.windows)
        attached.set(sparse=False)
        for layer in attached.layers:
            layer.watch = self._watch

    def read(self, model: Callable[..., object], window: Tensor) -> float:
        """Learn from one window of tokens; the mean loss of the layers in nats, NaN in the fit."""
        self._losses.clear()
        with torch.no_grad():
            model(window, use_cache=False)
        self._window += 1
        if self._window == self._fit_windows:
            self._fit()
        return sum(self._losses) / len(self._losses) if self._losses else math.nan

    def end(self) -> None:
        """Let the layers attend sparsely."""
        self._attached.set(sparse=True)
        for layer in self._attached.layers:
            layer.watch = None

    def _watch(self, layer: Layer, q_BHTD: Tensor, k_BKSD: Tensor, scale: float | None) -> None:
        if self._window < self._fit_windows:
            self._scales[layer.name] = scale
            self._gather(layer, q_BHTD, k_BKSD)
        else:
            self._update(layer, q_BHTD, k_BKSD, scale)

    def _gather(self, layer: Layer, q_BHTD: Tensor, k_BKSD: Tensor) -> None:
        K, D = k_BKSD.shape[1], k_BKSD.shape[3]
        q_BKND = q_BHTD.float().reshape(len(q_BHTD), K, -1, D)
        q_KND = q_BKND.transpose(0, 1).reshape(K, -1, D)
        centred_BKSD = k_BKSD.float() - k_BKSD.float().mean(2, keepdim=True)
        k_KND = centred_BKSD.transpose(0, 1).reshape(K, -1, D)
        found = [q_KND.mT @ q_KND, k_KND.mT @ k_KND]
        before = self._moments.get(layer.name)
        self._moments[layer.name] = found if before is None else [
            a + b for a, b in zip(found, before, strict=True)
        ]  # fmt: skip

    def _fit(self) -> None:
        for layer in self._attached.layers:
            if isinstance(layer.indexer, LowRank):
                queries_KDD, keys_KDD = self._moments.pop(layer.name)
                layer.indexer.fit(queries_KDD, keys_KDD, self._scales[layer.name])

    def _update(self, layer: Layer, q_BHTD: Tensor, k_BKSD: Tensor, scale: float | None) -> None:
        schedule, optimizer = self._schedule, self._optimizers[layer.name]
        indexer = _learned(layer)
        done = (self._window - self._fit_windows) / (schedule.windows - self._fit_windows)
        rate = schedule.rate * (0.5 + 0.5 * math.cos(math.pi * done))
        optimizer.param_groups[0]["lr"] = rate
        drawn = torch.randperm(q_BHTD.shape[2], generator=self._source)[: schedule.rows]
        for rows in drawn.to(q_BHTD.device).chunk(schedule.updates):
            optimizer.zero_grad()
            with torch.enable_grad():
                loss = divergence(indexer, q_BHTD, k_BKSD, scale=scale, rows=rows)
                loss.backward()  # type: ignore[no-untyped-call] # torch does not annotate it
            optimizer.step()
            self._losses.append(float(loss.detach()))


def _is_low_rank(layer: Layer) -> bool:
    return isinstance(layer.indexer, LowRank)


def _learned(layer: Layer) -> Learned:
    if not isinstance(layer.indexer, Learned):
        raise TypeError(f"{layer.name} needs an indexer that learns, got {layer.indexer!r}")
    return layer.indexer


def _weights(layer: Layer) -> list[nn.Parameter]:
    return list(_learned(layer).parameters())
