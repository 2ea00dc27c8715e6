"""Scores of pairs of query and key that need no training.

An indexer takes queries and keys and returns one score for each query and page of keys (a page may
be one key), of which only the order within a query matters. Where one score serves all heads its
second dimension is 1.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size,
G = scores a pair (1, or one a head), M = pages of keys, W = keys of a page.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Generator, Tensor
from torch.nn import functional

from dougong_plugins.attention.dsa.weights import exact_weights, own_positions, products
from dougong_plugins.attention.visibility import causal_mask

PAGE = 16


class Indexer(Protocol):
    """What ranks pages of keys."""

    @property
    def page(self) -> int:
        """Return the keys of a page."""
        ...

    def __call__(self, q_BHTD: Tensor, k_BKSD: Tensor) -> Tensor:
        """Return scores, floating point, shape (B, G, T, M); the last query meets the last key."""
        ...


class Window:
    """The nearer the better: with sinks in the selector, StreamingLLM (arXiv:2309.17453)."""

    page = 1

    def __call__(self, q_BHTD: Tensor, k_BKSD: Tensor) -> Tensor:
        T, S = q_BHTD.shape[2], k_BKSD.shape[2]
        distance_TS = own_positions(T, S, q_BHTD.device) - torch.arange(S, device=q_BHTD.device)
        return -distance_TS.abs().float().expand(len(q_BHTD), 1, T, S)


class Random:
    """A score that says nothing, drawn anew at each call: the floor that a gate must leave."""

    page = 1

    def __init__(self, seed: int = 0) -> None:
        self._source = Generator().manual_seed(seed)

    def __call__(self, q_BHTD: Tensor, k_BKSD: Tensor) -> Tensor:
        shape = len(q_BHTD), 1, q_BHTD.shape[2], k_BKSD.shape[2]
        return torch.rand(shape, generator=self._source).to(q_BHTD.device)


class Oracle:
    """The weights of exact attention: what no indexer can beat, at the price of all products."""

    page = 1

    def __init__(self, *, shared: bool = True) -> None:
        """Take whether the heads share the mean of their weights, or each has its own."""
        self._shared = shared

    def __call__(self, q_BHTD: Tensor, k_BKSD: Tensor) -> Tensor:
        visible = causal_mask(q_BHTD.shape[2], k_BKSD.shape[2], q_BHTD.device)
        weights_BHTS = exact_weights(q_BHTD, k_BKSD, visible)
        return weights_BHTS.mean(1, keepdim=True) if self._shared else weights_BHTS


class Pooled:
    """Product of the query and the mean key of a page (MoBA, eq. 5); one score a head."""

    def __init__(self, page: int = PAGE) -> None:
        self.page = page

    def __call__(self, q_BHTD: Tensor, k_BKSD: Tensor) -> Tensor:
        k_BKMWD = pages_of(k_BKSD.float(), self.page, 0.0)
        return products(q_BHTD.float(), k_BKMWD.sum(3) / self.page)


class Quest:
    """Largest product a query can have with any key of a page (Quest, eq. 1); one score a head.

    sum_d max(q_d * low_d, q_d * high_d), low and high of all keys of the page, as two products.
    """

    def __init__(self, page: int = PAGE) -> None:
        self.page = page

    def __call__(self, q_BHTD: Tensor, k_BKSD: Tensor) -> Tensor:
        k_BKSD = k_BKSD.float()
        high_BKMD = pages_of(k_BKSD, self.page, -torch.inf).amax(3)
        low_BKMD = pages_of(k_BKSD, self.page, torch.inf).amin(3)
        q_BHTD = q_BHTD.float()
        bound_BHTM = products(q_BHTD.clamp(min=0), high_BKMD)
        bound_BHTM = bound_BHTM + products(q_BHTD.clamp(max=0), low_BKMD)
        return bound_BHTM


def pages_of(x_BKSD: Tensor, page: int, fill: float) -> Tensor:
    """Cut keys into pages, the last one filled up: (B, K, M, W, D)."""
    B, K, S, D = x_BKSD.shape
    x_BKSD = functional.pad(x_BKSD, (0, 0, 0, -S % page), value=fill)
    return x_BKSD.view(B, K, -1, page, D)
