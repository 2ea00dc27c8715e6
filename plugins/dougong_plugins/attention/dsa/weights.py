"""Products of queries and keys, and the weights that exact attention makes of them.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size.
"""

from __future__ import annotations

import torch
from torch import Tensor


def products(q_BHTD: Tensor, k_BKSD: Tensor) -> Tensor:
    """Return the products of each query head with its key head, shape (B, H, T, S)."""
    B, H, T, D = q_BHTD.shape
    K = k_BKSD.shape[1]
    rows = q_BHTD.reshape(B, K, H // K * T, D) @ k_BKSD.mT
    return rows.view(B, H, T, -1)


def exact_weights(
    q_BHTD: Tensor, k_BKSD: Tensor, visible: Tensor | None, scale: float | None = None
) -> Tensor:
    """Return the softmax of the scaled products, float32, shape (B, H, T, S).

    Args:
        q_BHTD: Queries.
        k_BKSD: Keys.
        visible: Boolean, broadcastable to the result; None for all. A query that sees no key has
            no weights: zeros.
        scale: Of the products; 1 / sqrt(D) if None.
    """
    scale = q_BHTD.shape[-1] ** -0.5 if scale is None else scale
    score_BHTS = products(q_BHTD, k_BKSD).float() * scale
    if visible is None:
        return score_BHTS.softmax(-1)
    blind = ~visible.any(-1, keepdim=True)
    score_BHTS = score_BHTS.masked_fill(~visible, -torch.inf).masked_fill(blind, 0)
    return score_BHTS.softmax(-1).masked_fill(blind, 0)


def own_positions(T: int, S: int, device: torch.device) -> Tensor:
    """Return the key position that each query stands at, shape (T, 1): the last meets the last."""
    return torch.arange(T, device=device).unsqueeze(1) + (S - T)
