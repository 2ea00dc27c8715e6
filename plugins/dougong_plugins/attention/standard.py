"""Attention as the textbook writes it; the definition for the exact operators.

Paper: Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, eq. 1.
Differs from the paper: scores and softmax are taken in float32 (float64 for float64 inputs), and a
query that sees no key gives zeros where the formula has no value.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dougong_plugins.attention.visibility import added_to


def standard(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Average the values by the softmax of the scaled query-key products.

    out = softmax(scale * q k^T + mask) v. Takes O(T * S) memory for every head.

    Args:
        q_BHTD: Queries, shape (B, H, T, D); any floating dtype, any strides.
        k_BKSD: Keys, shape (B, K, S, D), K a divisor of H: query head h reads key head h * K // H.
        v_BKSD: Values, shape (B, K, S, Dv); Dv may differ from D.
        mask: Broadcastable to (B, H, T, S). Boolean: True = attend. Floating point: added to the
            scaled scores.
        is_causal: Query i sees keys j <= i + S - T only; applies besides `mask`.
        scale: Factor of the scores; 1 / sqrt(D) if None.

    Returns:
        Shape (B, H, T, Dv), dtype of `q_BHTD`. A query that sees no key gives zeros.

    Raises:
        ValueError: K does not divide H.
    """
    H, D = q_BHTD.shape[1], q_BHTD.shape[-1]
    K = k_BKSD.shape[1]
    if H % K:
        raise ValueError(f"key heads must divide the {H} query heads, got {K}")
    wide = torch.promote_types(q_BHTD.dtype, torch.float32)
    scale = 1 / math.sqrt(D) if scale is None else scale
    k_BHSD = k_BKSD.to(wide).repeat_interleave(H // K, dim=1)
    v_BHSD = v_BKSD.to(wide).repeat_interleave(H // K, dim=1)
    scores_BHTS = (q_BHTD.to(wide) * scale) @ k_BHSD.mT
    scores_BHTS = added_to(scores_BHTS, mask, is_causal=is_causal)
    # Rows of nothing but -inf become rows of zeros before the softmax, and zeros after it: a NaN
    # that is only overwritten at the end would still reach the gradients.
    blind_BHT1 = (scores_BHTS == -torch.inf).all(-1, keepdim=True)
    weights_BHTS = scores_BHTS.masked_fill(blind_BHT1, 0).softmax(-1).masked_fill(blind_BHT1, 0)
    return (weights_BHTS @ v_BHSD).to(q_BHTD.dtype)
