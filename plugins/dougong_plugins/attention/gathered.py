"""Attention of blocks of queries to chosen keys: what the sparse operators share.

Each block of C queries is given L key positions; keys, values and mask are gathered there and the
rest is never touched, so that work is T * L instead of T * S.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size,
N = blocks of queries, C = queries of a block, L = keys of a block.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def blocks_of(x_BHTD: Tensor, C: int) -> Tensor:
    """Cut the third dimension into blocks of C, the last one filled with zeros: (B, H, N, C, D)."""
    B, H, T, D = x_BHTD.shape
    N = -(-T // C)
    return functional.pad(x_BHTD, (0, 0, 0, N * C - T)).reshape(B, H, N, C, D)


def attend_at(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    positions: Tensor,
    visible: Tensor,
    *,
    mask: Tensor | None,
    scale: float | None,
) -> Tensor:
    """Attend from each block of queries to the keys at its positions.

    Args:
        q_BHTD: Queries; cut into N blocks of C here.
        k_BKSD: Keys.
        v_BKSD: Values.
        positions: Keys of each block, int64 in [0, S), shape (B, H, N, L), or (1, 1, N, L) for all.
        visible: Which of them each query sees, boolean, broadcastable to (B, H, N, C, L).
        mask: As in `standard`; applies besides `visible`.
        scale: As in `standard`.

    Returns:
        Shape (B, H, T, Dv); zeros for a query that sees no key.
    """
    B, H, T, _ = q_BHTD.shape
    K = k_BKSD.shape[1]
    C = visible.shape[-2]
    q_BHNCD = blocks_of(q_BHTD, C)
    N, L = q_BHNCD.shape[2], positions.shape[-1]
    heads = K if positions.shape[1] == 1 else H
    bias = visible if mask is None else _with_mask(visible, mask, positions, q_BHNCD)
    q = q_BHNCD.reshape(B, heads, H // heads, N, C, -1).transpose(2, 3)
    k, v = (_rows_at(x, positions, heads).unsqueeze(3) for x in (k_BKSD, v_BKSD))
    bias = bias.expand(B, H, N, C, L).reshape(B, heads, H // heads, N, C, L).transpose(2, 3)
    out = functional.scaled_dot_product_attention(
        q.flatten(0, 2),
        k.expand(-1, -1, -1, H // heads, -1, -1).flatten(0, 2),
        v.expand(-1, -1, -1, H // heads, -1, -1).flatten(0, 2),
        attn_mask=bias.flatten(0, 2),
        scale=scale,
    )
    out_BHTD: Tensor = out.view(B, heads, N, H // heads, C, -1).transpose(2, 3)
    return out_BHTD.reshape(B, H, N * C, -1)[:, :, :T]


def _rows_at(x_BKSD: Tensor, positions: Tensor, heads: int) -> Tensor:
    """Return the rows at the positions, shape (B, heads, N, L, D)."""
    B, K, S, D = x_BKSD.shape
    device = x_BKSD.device
    batch = torch.arange(B, device=device).view(B, 1, 1, 1)
    head = (torch.arange(heads, device=device) // (heads // K)).view(1, heads, 1, 1)
    rows = (batch * K + head) * S + positions
    return x_BKSD.reshape(B * K * S, D).index_select(0, rows.flatten()).view(*rows.shape, D)


def _with_mask(visible: Tensor, mask: Tensor, positions: Tensor, q_BHNCD: Tensor) -> Tensor:
    """Read the mask at the positions and merge it with what is visible, without expanding it."""
    N, C = q_BHNCD.shape[2:4]
    mask = mask[(None,) * (4 - mask.ndim)]
    device = mask.device
    query = torch.arange(N * C, device=device).clamp(max=mask.shape[2] - 1).view(1, 1, N, C, 1)
    key = positions.unsqueeze(3) if mask.shape[3] > 1 else torch.zeros_like(positions[..., None, :])
    batch = torch.arange(mask.shape[0], device=device).view(-1, 1, 1, 1, 1)
    head = torch.arange(mask.shape[1], device=device).view(1, -1, 1, 1, 1)
    query = query if mask.shape[2] > 1 else query[..., :1, :] * 0
    there = mask[batch, head, query, key]
    if mask.dtype == torch.bool:
        return visible & there
    return there.to(q_BHNCD.dtype).masked_fill(~visible, -torch.inf)
