"""Which blocks of keys a block of queries attends to, without training.

Papers: Lu et al., "MoBA: Mixture of Block Attention for Long-Context LLMs", 2025, arXiv:2502.13189
(means stand for blocks of keys); Jiang et al., "MInference 1.0", 2024, arXiv:2407.02490 (a map of
the attention of pooled queries to pooled keys, estimated while it runs).
Differs from the papers: the map is of 16 queries by 16 keys, and a block of 64 keys has the share
of it that its pools have together, so that a few queries that look elsewhere than the mean of their
block are heard; the first block of keys and those of the queries' own positions are always kept,
and under causality take no part in the map: no query is moved by keys after it.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size,
N = blocks of queries, M = blocks of keys, J = most blocks kept, P = pools of queries, Q = of keys.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from dougong_kernels import library
from dougong_kernels.definition import groups_of, scale_of
from dougong_kernels.exact import can_run, dense_rows

BLOCK = 64
"""Queries and keys of a block, as in the kernel."""
POOL = 16
"""Positions whose mean stands for them in the map."""


@dataclasses.dataclass(frozen=True)
class Blocks:
    """The blocks of keys kept for each block of 64 queries."""

    index: Tensor
    """(B, H, N, J) or, for heads that share keys together, (B, K, N, J); int32, ascending in the
    first `count` of each row, which alone are used."""
    count: Tensor
    """(B, H, N) or (B, K, N), int32."""
    size: int = BLOCK
    """Keys of a block: a multiple of 64, or fewer down to 1, which makes `index` a list of keys."""


@torch.no_grad()
def by_map(
    q_BHTD: Tensor, k_BKSD: Tensor, *, keep: float, is_causal: bool, scale: float | None = None
) -> Blocks:
    """Keep the blocks that the map of pooled attention gives the largest share, by the kernel.

    Args:
        q_BHTD: Queries; not empty.
        k_BKSD: Keys; not empty.
        keep: Share of the blocks that a block of queries may see, in (0, 1]; rounded up, and never
            fewer than the first block and its own.
        is_causal: Leave out the blocks after the last position of the queries.
        scale: Factor of the products; 1 / sqrt(D) if None.
    """
    found = library.kernels() if can_run(q_BHTD, k_BKSD) else None
    if found is None:
        return by_map_reference(q_BHTD, k_BKSD, keep=keep, is_causal=is_causal, scale=scale)
    q_BHTD, k_BKSD = dense_rows(q_BHTD), dense_rows(k_BKSD)
    B, H, T, D = q_BHTD.shape
    K, S = k_BKSD.shape[1:3]
    groups_of(q_BHTD, k_BKSD)
    N, M = math.ceil(T / BLOCK), math.ceil(S / BLOCK)
    # Positions of a block of queries reach into three blocks of keys at most, the first included.
    J = min(M, max(3, _wanted(keep, M)))
    index_BHNJ = torch.empty(B, H, N, J, dtype=torch.int32)
    count_BHN = torch.empty(B, H, N, dtype=torch.int32)
    found.select(
        library.Selection(
            q=q_BHTD.data_ptr(),
            k=k_BKSD.data_ptr(),
            B=B,
            H=H,
            K=K,
            T=T,
            S=S,
            D=D,
            q_strides=library.strides_of(q_BHTD),
            k_strides=library.strides_of(k_BKSD),
            keep=keep,
            scale=scale_of(q_BHTD, scale),
            is_causal=is_causal,
            is_bfloat16=q_BHTD.dtype == torch.bfloat16,
            threads=torch.get_num_threads(),
            index=index_BHNJ.data_ptr(),
            count=count_BHN.data_ptr(),
            J=J,
        )
    )
    return Blocks(index_BHNJ, count_BHN)


@torch.no_grad()
def by_map_reference(
    q_BHTD: Tensor, k_BKSD: Tensor, *, keep: float, is_causal: bool, scale: float | None = None
) -> Blocks:
    """`by_map` in plain PyTorch; equal but where rounding decides between two blocks."""
    B, H, T, _ = q_BHTD.shape
    S = k_BKSD.shape[2]
    N, M = math.ceil(T / BLOCK), math.ceil(S / BLOCK)
    k_BHQD = pool_means(k_BKSD).repeat_interleave(groups_of(q_BHTD, k_BKSD), dim=1)
    map_BHPQ = (pool_means(q_BHTD) @ k_BHQD.mT) * scale_of(q_BHTD, scale)
    block_P = torch.arange(map_BHPQ.shape[2]) * POOL // BLOCK
    block_Q = torch.arange(map_BHPQ.shape[3]) * POOL // BLOCK
    if is_causal:
        own_P1 = (block_P.unsqueeze(1) * BLOCK + S - T).clamp(min=0) // BLOCK
        map_BHPQ = map_BHPQ.masked_fill(block_Q >= own_P1, -torch.inf)
    share_BHPQ = map_BHPQ.softmax(-1).nan_to_num(0)
    share_BHPM = share_BHPQ.new_zeros(B, H, len(block_P), M).index_add_(3, block_Q, share_BHPQ)
    share_BHNM = share_BHPM.new_zeros(B, H, N, M).index_add_(2, block_P, share_BHPM)
    return _kept(share_BHNM, T, S, keep, is_causal)


def pool_means(x_BHTD: Tensor) -> Tensor:
    """Return the mean of every `POOL` positions, float32, shape (B, H, P, D)."""
    B, H, T, D = x_BHTD.shape
    whole = T // POOL * POOL
    parts = [x_BHTD[:, :, :whole].reshape(B, H, -1, POOL, D).mean(3, dtype=torch.float32)]
    if T % POOL:
        parts.append(x_BHTD[:, :, whole:].mean(2, keepdim=True, dtype=torch.float32))
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


def _wanted(keep: float, blocks: int) -> int:
    return math.ceil(round(keep * blocks, 9))
