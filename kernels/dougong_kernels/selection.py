"""Which blocks of keys a block of queries attends to, without training.

Papers: Lu et al., "MoBA: Mixture of Block Attention for Long-Context LLMs", 2025, arXiv:2502.13189
(means of blocks of keys); Tang et al., "Quest: Query-Aware Sparsity for Efficient Long-Context LLM
Inference", 2024, arXiv:2406.10774 (bounds of blocks of keys).
Differs from the papers: the queries of a block share one selection, made by their mean; the first
block of keys and those of the queries' own positions are always kept.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size,
N = blocks of queries, M = blocks of keys, J = most blocks kept.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

BLOCK = 64
"""Queries and keys of a block, as in the kernel."""


@dataclasses.dataclass(frozen=True)
class Blocks:
    """The blocks of keys kept for each block of queries."""

    index: Tensor
    """(B, H, N, J), int32, ascending; only the first `count` of each row are used."""
    count: Tensor
    """(B, H, N), int32."""


@torch.no_grad()
def by_means(q_BHTD: Tensor, k_BKSD: Tensor, *, keep: float, is_causal: bool) -> Blocks:
    """Keep the blocks whose mean key has the largest product with the mean query.

    Args:
        q_BHTD: Queries; not empty.
        k_BKSD: Keys; not empty.
        keep: Share of the blocks that a block of queries may see, in (0, 1]; rounded up, and never
            fewer than the first block and its own.
        is_causal: Leave out the blocks after the last position of the queries.
    """
    groups = q_BHTD.shape[1] // k_BKSD.shape[1]
    k_BHMD = block_means(k_BKSD).repeat_interleave(groups, dim=1)
    score_BHNM = block_means(q_BHTD) @ k_BHMD.mT
    return _kept(score_BHNM, q_BHTD.shape[2], k_BKSD.shape[2], keep, is_causal)


def block_means(x_BHTD: Tensor) -> Tensor:
    """Return the mean of each block of positions, float32, shape (B, H, N, D)."""
    B, H, T, D = x_BHTD.shape
    whole = T // BLOCK
    parts = []
    if whole:
        blocks = x_BHTD[:, :, : whole * BLOCK].reshape(B, H, whole, BLOCK, D)
        parts.append(blocks.sum(3, dtype=torch.float32) / BLOCK)
    if T % BLOCK:
        parts.append(x_BHTD[:, :, whole * BLOCK :].mean(2, keepdim=True, dtype=torch.float32))
    return torch.cat(parts, dim=2)


def _kept(score_BHNM: Tensor, T: int, S: int, keep: float, is_causal: bool) -> Blocks:
    N, M = score_BHNM.shape[2:]
    start_M = torch.arange(M) * BLOCK
    first_N1 = torch.arange(N).unsqueeze(1) * BLOCK + (S - T)
    last_N1 = (first_N1 + BLOCK - 1).clamp(max=S - 1)
    always_NM = (start_M <= last_N1) & (start_M + BLOCK > first_N1) | (start_M == 0)
    seen_NM = start_M <= last_N1 if is_causal else torch.ones(N, M, dtype=torch.bool)
    always_NM = always_NM & seen_NM
    score_BHNM = score_BHNM.masked_fill(~seen_NM, -torch.inf).masked_fill(always_NM, torch.inf)
    # Rounded first: 0.2 * 5 must keep one block, not two.
    wanted_N = torch.ceil((keep * seen_NM.sum(-1).double()).round(decimals=9)).long()
    count_N = torch.maximum(wanted_N, always_NM.sum(-1))
    most = max(1, int(count_N.max()))
    top_BHNJ = score_BHNM.topk(most, dim=-1).indices
    unused_NJ = torch.arange(most) >= count_N.unsqueeze(1)
    index_BHNJ = top_BHNJ.masked_fill(unused_NJ, M).sort(-1).values
    count_BHN = count_N.expand(score_BHNM.shape[:3])
    return Blocks(index_BHNJ.int().contiguous(), count_BHN.int().contiguous())


class PageBounds:
    """Largest and smallest key of each block of a growing cache, for selections while decoding.

    An upper bound of a query's products with a block's keys follows from these: Quest, eq. 1.
    Kept in float32 beside the cache: 2 / 64 of its keys' elements.
    """

    def __init__(self, k_BKSD: Tensor) -> None:
        self._full = 0
        B, K, _, D = k_BKSD.shape
        self._low_BKMD = torch.empty(B, K, 0, D)
        self._high_BKMD = torch.empty(B, K, 0, D)
        self.update(k_BKSD)

    def update(self, k_BKSD: Tensor) -> None:
        """Take in the keys that the cache has more than at the last call."""
        B, K, S, D = k_BKSD.shape
        whole = S // BLOCK
        fresh = k_BKSD[:, :, self._full * BLOCK : whole * BLOCK]
        low = [self._low_BKMD[:, :, : self._full]]
        high = [self._high_BKMD[:, :, : self._full]]
        if fresh.shape[2]:
            blocks = fresh.reshape(B, K, -1, BLOCK, D)
            low.append(blocks.amin(3).float())
            high.append(blocks.amax(3).float())
        if S % BLOCK:
            low.append(k_BKSD[:, :, whole * BLOCK :].amin(2, keepdim=True).float())
            high.append(k_BKSD[:, :, whole * BLOCK :].amax(2, keepdim=True).float())
        self._low_BKMD, self._high_BKMD = torch.cat(low, 2), torch.cat(high, 2)
        self._full = whole

    @torch.no_grad()
    def choose(self, q_BHTD: Tensor, *, keep: float) -> Blocks:
        """Keep the blocks of the largest bounds, one selection for the heads that share keys.

        Args:
            q_BHTD: The newest queries, shape (B, H, T, D), aligned with the end of the cache.
            keep: Share of all blocks, in (0, 1]; rounded up, the first and the last always kept.

        Returns:
            Index (B, K, 1, J), count (B, K, 1).
        """
        B, K, M, D = self._low_BKMD.shape
        rows = q_BHTD.shape[1] // K * q_BHTD.shape[2]
        q_BKRD = q_BHTD.float().reshape(B, K, rows, D)
        # sum_d max(q_d * low_d, q_d * high_d), as two products
        bound_BKRM = q_BKRD.clamp(min=0) @ self._high_BKMD.mT
        bound_BKRM += q_BKRD.clamp(max=0) @ self._low_BKMD.mT
        score_BKM = bound_BKRM.amax(2)
        score_BKM[..., 0] = score_BKM[..., -1] = torch.inf
        count = min(M, max(2, math.ceil(round(keep * M, 9))))
        index_BKJ = score_BKM.topk(count, dim=-1, sorted=False).indices.sort(-1).values
        return Blocks(
            index_BKJ.unsqueeze(2).int().contiguous(),
            torch.full((B, K, 1), count, dtype=torch.int32),
        )
