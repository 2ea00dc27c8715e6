"""Exact attention by torch's fused kernel.

Paper: Dao et al., "FlashAttention", 2022, arXiv:2205.14135 (the algorithm of the kernel).
Definition: `dougong_plugins.attention.standard`.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dougong_plugins.attention.visibility import boolean_mask, causal_mask


def torch_sdpa(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """`standard` by `torch.nn.functional.scaled_dot_product_attention`: arguments as there.

    torch's own `is_causal` aligns the first query with the first key; where that differs from the
    contract (T != S) or a mask applies besides, causality goes into an explicit mask of T * S.

    Raises:
        RuntimeError: shapes, dtypes or devices do not fit (torch's message).
    """
    T, S = q_BHTD.shape[-2], k_BKSD.shape[-2]
    native_causal = is_causal and mask is None and T == S
    if is_causal and not native_causal:
        if mask is None or mask.dtype == torch.bool:
            mask = boolean_mask(mask, is_causal=True, T=T, S=S, device=q_BHTD.device)
        else:
            mask = mask.masked_fill(~causal_mask(T, S, q_BHTD.device), -torch.inf)
    if mask is not None and mask.dtype != torch.bool and q_BHTD.dtype == torch.float64:
        # With grouped heads torch 2.13 reads a float32 mask as float64 bits, and says nothing.
        mask = mask.double()
    return functional.scaled_dot_product_attention(
        q_BHTD,
        k_BKSD,
        v_BKSD,
        attn_mask=mask,
        is_causal=native_causal,
        scale=scale,
        enable_gqa=q_BHTD.shape[1] != k_BKSD.shape[1],
    )
