"""Attention to the blocks of keys that a cheap estimate ranks highest.

Paper: Lu et al., "MoBA: Mixture of Block Attention for Long-Context LLMs", 2025, arXiv:2502.13189,
sec. 2.2 (mean-pooled keys, top-k blocks, the own block always kept).
Differs from the paper: the queries of a block share one selection, made by their mean, so that keys
are read in whole blocks; the first block is always kept too; masked keys do not enter the means.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size,
N = blocks of queries, C = queries of a block, M = blocks of keys, W = keys of a block, J = blocks
kept, L = keys kept.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from dougong_plugins.attention.gathered import attend_at, blocks_of
from dougong_plugins.attention.standard import standard
from dougong_plugins.attention.torch_sdpa import torch_sdpa

QUERY_BLOCK = 64
KEY_BLOCK = 32
KEEP = 0.25


def sparse_topk(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    keep: float = KEEP,
) -> Tensor:
    """Attend exactly within the chosen blocks of keys and not at all outside them.

    For each block of 64 queries and each head, blocks of 32 keys are ranked by the product of the
    mean query and the mean key; a share `keep` of all blocks is attended to, at least those that
    hold the queries' own positions and the first one. Work falls from T * S to about keep * T * S;
    where that leaves nothing out, the result is exact. Gradients flow through the chosen keys, not
    through the choice.

    Args:
        q_BHTD: Queries, shape (B, H, T, D).
        k_BKSD: Keys, shape (B, K, S, D), K a divisor of H.
        v_BKSD: Values, shape (B, K, S, Dv).
        mask: As in `standard`; a block that it hides from all queries of a block is never chosen.
        is_causal: As in `standard`.
        scale: As in `standard`.
        keep: Share of the key blocks attended to, in (0, 1].

    Returns:
        Shape (B, H, T, Dv), dtype of `q_BHTD`; zeros for a query that sees no key.

    Raises:
        ValueError: `keep` is outside (0, 1].
    """
    if not 0 < keep <= 1:
        raise ValueError(f"keep must lie in (0, 1], got {keep}")
    T, S = q_BHTD.shape[2], k_BKSD.shape[2]
    C, count, M = _plan(T, S, keep)
    if count >= M or q_BHTD.numel() == 0:
        return torch_sdpa(q_BHTD, k_BKSD, v_BKSD, mask=mask, is_causal=is_causal, scale=scale)
    mask = None if mask is None else mask[(None,) * (4 - mask.ndim)]
    chosen_BHNJ = _choose(q_BHTD, k_BKSD, mask, is_causal, C, count)
    inside_W = torch.arange(KEY_BLOCK, device=q_BHTD.device)
    key_BHNL = (chosen_BHNJ.unsqueeze(-1) * KEY_BLOCK + inside_W).flatten(-2)
    query_NC = torch.arange(-(-T // C) * C, device=q_BHTD.device).view(-1, C) + (S - T)
    seen = (key_BHNL < S).unsqueeze(3) & (query_NC < S).unsqueeze(-1)
    if is_causal:
        seen = seen & (key_BHNL.unsqueeze(3) <= query_NC.unsqueeze(-1))
    positions = key_BHNL.clamp(max=S - 1)
    return attend_at(q_BHTD, k_BKSD, v_BKSD, positions, seen, mask=mask, scale=scale)


def sparse_topk_reference(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    keep: float = KEEP,
) -> Tensor:
    """`sparse_topk` by `standard` under a mask of T * S that hides what was not chosen."""
    T, S = q_BHTD.shape[2], k_BKSD.shape[2]
    C, count, M = _plan(T, S, keep)
    if count < M and q_BHTD.numel():
        full = None if mask is None else mask[(None,) * (4 - mask.ndim)]
        chosen_BHNJ = _choose(q_BHTD, k_BKSD, full, is_causal, C, count)
        kept_BHNM = torch.zeros(*chosen_BHNJ.shape[:3], M, dtype=torch.bool, device=q_BHTD.device)
        kept_BHNM.scatter_(-1, chosen_BHNJ, torch.ones_like(chosen_BHNJ, dtype=torch.bool))
        kept = kept_BHNM.repeat_interleave(C, 2).repeat_interleave(KEY_BLOCK, 3)[:, :, :T, :S]
        if mask is None or mask.dtype == torch.bool:
            mask = kept if mask is None else kept & mask
        else:
            mask = mask.masked_fill(~kept, -torch.inf)
    return standard(q_BHTD, k_BKSD, v_BKSD, mask=mask, is_causal=is_causal, scale=scale)


def chosen_blocks(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    mask: Tensor | None = None,
    *,
    is_causal: bool = False,
    keep: float = KEEP,
) -> Tensor:
    """Return which key blocks `sparse_topk` attends to: int64, ascending, shape (B, H, N, J).

    Raises:
        ValueError: `keep` is outside (0, 1].
    """
    if not 0 < keep <= 1:
        raise ValueError(f"keep must lie in (0, 1], got {keep}")
    B, H, T = q_BHTD.shape[:3]
    C, count, M = _plan(T, k_BKSD.shape[2], keep)
    if count >= M or q_BHTD.numel() == 0:
        return torch.arange(M, device=q_BHTD.device).expand(B, H, -(-T // C) if T else 0, M)
    mask = None if mask is None else mask[(None,) * (4 - mask.ndim)]
    return _choose(q_BHTD, k_BKSD, mask, is_causal, C, count)


def _plan(T: int, S: int, keep: float) -> tuple[int, int, int]:
    """Return the queries of a block, the key blocks kept for it, and all key blocks."""
    C, M = min(QUERY_BLOCK, T), -(-S // KEY_BLOCK)
    own = -(-(C + KEY_BLOCK - 1) // KEY_BLOCK)  # the most that a block of queries can overlap
    return C, max(math.ceil(keep * M), own + 1), M


@torch.no_grad()
def _choose(
    q_BHTD: Tensor, k_BKSD: Tensor, mask: Tensor | None, is_causal: bool, C: int, count: int
) -> Tensor:
    """Return the chosen key blocks of each query block, shape (B, H, N, count)."""
    H, T = q_BHTD.shape[1:3]
    K, S = k_BKSD.shape[1:3]
    W, device = KEY_BLOCK, q_BHTD.device
    q_BHND = blocks_of(q_BHTD.float(), C).mean(3)
    k_BHMD = _mean_keys(k_BKSD.float(), mask).repeat_interleave(H // K, dim=1)
    score_BHNM = q_BHND @ k_BHMD.mT
    N, M = score_BHNM.shape[-2:]
    if mask is not None:
        score_BHNM = score_BHNM.masked_fill(~_any_visible(mask, C, N, M), -torch.inf)
    first_N1 = torch.arange(N, device=device).unsqueeze(1) * C + (S - T)
    last_N1 = (first_N1 + C - 1).clamp(max=S - 1)
    start_M = torch.arange(M, device=device) * W
    own_NM = (start_M <= last_N1) & (start_M + W > first_N1)
    if is_causal:
        score_BHNM = score_BHNM.masked_fill(start_M > last_N1, -torch.inf)
    score_BHNM = score_BHNM.masked_fill(own_NM | (start_M == 0), torch.inf)
    return score_BHNM.topk(count, dim=-1, sorted=False).indices.sort(-1).values


def _mean_keys(k_BKSD: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean of each block over the keys that a padding mask leaves, (B, K, M, D)."""
    S = k_BKSD.shape[2]
    kept = k_BKSD.new_ones(1, 1, S, 1)
    if mask is not None and mask.shape[1:3] == (1, 1):
        visible = mask if mask.dtype == torch.bool else mask > -torch.inf
        kept = visible.expand(-1, -1, -1, S).to(k_BKSD.dtype).mT
    total_BKMD = blocks_of(k_BKSD * kept, KEY_BLOCK).sum(3)
    return total_BKMD / blocks_of(kept, KEY_BLOCK).sum(3).clamp(min=1)


def _any_visible(mask: Tensor, C: int, N: int, M: int) -> Tensor:
    """Return whether any query of a block sees any key of a block, (B, H, N, M) or less."""
    visible = (mask if mask.dtype == torch.bool else mask > -torch.inf).float()
    b, h, T, S = visible.shape
    if S > 1:
        visible = functional.pad(visible, (0, M * KEY_BLOCK - S))
        visible = visible.view(b, h, T, M, KEY_BLOCK).amax(4)
    if T > 1:
        visible = functional.pad(visible, (0, 0, 0, N * C - T))
        visible = visible.view(b, h, N, C, -1).amax(3)
    return visible > 0
