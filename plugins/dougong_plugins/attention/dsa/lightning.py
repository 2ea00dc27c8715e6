"""The learned indexer: a few small heads that score pairs of query and key.

Paper: DeepSeek-AI, "DeepSeek-V3.2-Exp", 2025, eq. 1: I_ts = sum_j w_tj ReLU(q_tj . k_s), with one
key for all heads of the indexer.
Differs from the paper: its queries, weights and keys are projected from the layer's own queries and
keys (after rotation), of which the attention to be imitated is a function; one number a step of
distance (on a scale of logarithms) and one for the first key are added, so that nearness and sinks
need not be learned by products.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size,
I = heads of the indexer, E = size of one, F = features (all heads of a token in a row).
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from dougong_plugins.attention.dsa.weights import own_positions

_STEPS = 32
"""Distances told apart: 0 to 7 each, then four an octave."""


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What a layer's indexer is built for, and how large it is."""

    heads: int
    key_heads: int
    head_size: int
    index_heads: int = 4
    index_size: int = 32


class Place(nn.Module):
    """What a key is worth for where it stands: one number a step of distance, one for the first."""

    def __init__(self) -> None:
        super().__init__()
        self.near = nn.Parameter(torch.zeros(_STEPS))
        self.first = nn.Parameter(torch.zeros(()))

    def forward(self, T: int, S: int, at: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the worth, float32, and which keys come after a query, both of shape (T, S).

        Args:
            T: Queries.
            S: Keys.
            at: Key position of each query, shape (T, 1); aligned with the last key if None.
        """
        key_S = torch.arange(S, device=self.near.device)
        distance_TS = (own_positions(T, S, self.near.device) if at is None else at) - key_S
        worth_TS = self.near.float()[_step(distance_TS.clamp(min=0))]
        return worth_TS + self.first.float() * (key_S == 0), distance_TS < 0


class Lightning(nn.Module):
    """One layer's indexer; its scores are logits of the attention that it imitates."""

    page = 1

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        wide, narrow = sizes.heads * sizes.head_size, sizes.key_heads * sizes.head_size
        self.queries = nn.Linear(wide, sizes.index_heads * sizes.index_size, bias=False)
        self.keys = nn.Linear(narrow, sizes.index_size, bias=False)
        self.weights = nn.Linear(wide, sizes.index_heads)
        self.place = Place()
        nn.init.normal_(self.weights.weight, std=0.02 * wide**-0.5)
        nn.init.ones_(self.weights.bias)

    def forward(self, q_BHTD: Tensor, k_BKSD: Tensor) -> Tensor:
        """Return scores, float32, shape (B, 1, T, S)."""
        return self.score(q_BHTD, self.index_keys(k_BKSD))

    def index_keys(self, k_BKSD: Tensor) -> Tensor:
        """Return the indexer's keys, shape (B, S, E): what a decoder caches beside its own."""
        k_BSE: Tensor = self.keys(_features(k_BKSD, self.keys.weight))
        return k_BSE

    def score(self, q_BHTD: Tensor, k_BSE: Tensor, at: Tensor | None = None) -> Tensor:
        """Score queries against the indexer's keys.

        Args:
            q_BHTD: The layer's queries.
            k_BSE: From `index_keys`.
            at: Key position of each query, shape (T, 1); aligned with the last key if None.
        """
        B, _, T, _ = q_BHTD.shape
        S = k_BSE.shape[1]
        q_BTF = _features(q_BHTD, self.queries.weight)
        q_BTIE = self.queries(q_BTF).view(B, T, self.sizes.index_heads, -1)
        w_BTI = self.weights(q_BTF).float() * (q_BTIE.shape[2] * q_BTIE.shape[3]) ** -0.5
        score_BTS = self.place(T, S, at)[0].expand(B, T, S)
        for q_BTE, w_BT1 in zip(q_BTIE.unbind(2), w_BTI.split(1, dim=2), strict=True):
            hit_BTS = (q_BTE @ k_BSE.mT).relu()
            score_BTS = torch.addcmul(score_BTS, w_BT1, hit_BTS.float())
        score_B1TS: Tensor = score_BTS.unsqueeze(1)
        return score_B1TS


def _features(x_BHTD: Tensor, like: Tensor) -> Tensor:
    return x_BHTD.transpose(1, 2).flatten(2).to(like.dtype)


def _step(distance: Tensor) -> Tensor:
    """Return the step of the scale that a distance falls in."""
    octave = (distance.clamp(min=8).float() / 8).log2() * 4
    return torch.where(distance < 8, distance, (8 + octave.long()).clamp(max=_STEPS - 1))
