"""What the kernels compute, in plain PyTorch: read this first.

Paper: Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, eq. 1.
Differs from the paper: a query that sees no key gives zeros, where the formula has no value.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size,
E = size of a value, N = blocks of queries, M = blocks of keys.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def attention(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSE: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Average the values by the softmax of the scaled query-key products.

    Args:
        q_BHTD: Queries, shape (B, H, T, D); any floating dtype, any strides.
        k_BKSD: Keys, shape (B, K, S, D), K a divisor of H: query head h reads key head h * K // H.
        v_BKSE: Values, shape (B, K, S, E).
        mask: Broadcastable to (B, H, T, S). Boolean: True = attend. Floating point: added to the
            scaled products, and -inf hides a key.
        is_causal: Query i sees keys j <= i + S - T only; applies besides `mask`.
        scale: Factor of the products; 1 / sqrt(D) if None.

    Returns:
        Shape (B, H, T, E), dtype of `q_BHTD`; zeros for a query that sees no key.

    Raises:
        ValueError: K does not divide H.
    """
    groups = groups_of(q_BHTD, k_BKSD)
    wide = torch.promote_types(q_BHTD.dtype, torch.float32)
    k_BHSD = k_BKSD.to(wide).repeat_interleave(groups, dim=1)
    v_BHSE = v_BKSE.to(wide).repeat_interleave(groups, dim=1)
    scores_BHTS = (q_BHTD.to(wide) @ k_BHSD.mT) * scale_of(q_BHTD, scale)
    if mask is not None and mask.dtype != torch.bool:
        scores_BHTS = scores_BHTS + mask
    seen = seen_of(mask, is_causal, q_BHTD, k_BKSD)
    if seen is not None:
        scores_BHTS = scores_BHTS.masked_fill(~seen, -torch.inf)
    blind_BHT1 = (scores_BHTS == -torch.inf).all(-1, keepdim=True)
    weights_BHTS = scores_BHTS.masked_fill(blind_BHT1, 0).softmax(-1).masked_fill(blind_BHT1, 0)
    return (weights_BHTS @ v_BHSE).to(q_BHTD.dtype)


def by_torch(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSE: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """`attention` by torch's own kernel, for what the kernels here do not take.

    Raises:
        ValueError: K does not divide H.
    """
    grouped = groups_of(q_BHTD, k_BKSD) > 1
    aligned = is_causal and mask is None and q_BHTD.shape[2] == k_BKSD.shape[2]
    seen = None if aligned else seen_of(mask, is_causal, q_BHTD, k_BKSD)
    blind = None
    if seen is not None:
        blind = ~seen.any(-1, keepdim=True)
        if mask is None or mask.dtype == torch.bool:
            mask = seen | blind
        else:
            mask = mask.masked_fill(~seen, -torch.inf).masked_fill(blind, 0)
            mask = mask.to(q_BHTD.dtype)
    out: Tensor = functional.scaled_dot_product_attention(
        q_BHTD,
        k_BKSD,
        v_BKSE,
        attn_mask=mask,
        is_causal=aligned,
        scale=scale_of(q_BHTD, scale),
        enable_gqa=grouped,
    )
    return out if blind is None else out.masked_fill(blind, 0)


def seen_of(mask: Tensor | None, is_causal: bool, q_BHTD: Tensor, k_BKSD: Tensor) -> Tensor | None:
    """Return which keys a query sees, broadcastable to (B, H, T, S), or None for all."""
    seen = None
    if mask is not None:
        seen = mask if mask.dtype == torch.bool else mask > -torch.inf
    if is_causal:
        T, S = q_BHTD.shape[2], k_BKSD.shape[2]
        last_T1 = torch.arange(T, device=q_BHTD.device).unsqueeze(1) + (S - T)
        causal_TS = torch.arange(S, device=q_BHTD.device) <= last_T1
        seen = causal_TS if seen is None else seen & causal_TS
    return seen


def groups_of(q_BHTD: Tensor, k_BKSD: Tensor) -> int:
    """Return how many query heads share a key head.

    Raises:
        ValueError: the number does not come out even.
    """
    H, K = q_BHTD.shape[1], k_BKSD.shape[1]
    if H % K:
        raise ValueError(f"key heads must divide the {H} query heads, got {K}")
    return H // K


def scale_of(q_BHTD: Tensor, scale: float | None) -> float:
    """Return the factor of the products."""
    return 1 / math.sqrt(max(1, q_BHTD.shape[-1])) if scale is None else scale
