"""Attention in windows, local-attention.

Adapter of local-attention (MIT), versions >=1.11,<2. Differs: a window of 128 keys with one
neighbour on each side (behind, if causal), no rotary embedding, and a mask of ones, without which
upstream attends to its own padding.
"""

from __future__ import annotations

from local_attention import LocalAttention
from torch import Tensor

WINDOW = 128


def local_attention(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Call `LocalAttention`; queries and keys must be equally many.

    Args:
        q_BHTD: Queries.
        k_BKSD: Keys; K divides H.
        v_BKSD: Values, like the keys.
        mask: Not supported, None.
        is_causal: See the contract.
        scale: Of the products; None for 1 / sqrt(D).
    """
    groups = q_BHTD.shape[1] // k_BKSD.shape[1]
    k_BHSD, v_BHSD = (t.repeat_interleave(groups, 1) for t in (k_BKSD, v_BKSD))
    B, H, T, D = q_BHTD.shape
    if not q_BHTD.numel():
        return v_BHSD.new_zeros(q_BHTD.shape)
    module = LocalAttention(
        WINDOW, causal=is_causal, autopad=True, scale=scale, use_rotary_pos_emb=False
    )
    flat = (t.reshape(B * H, T, D) for t in (q_BHTD, k_BHSD, v_BHSD))
    seen = q_BHTD.new_ones((B * H, T), dtype=bool)
    return module(*flat, mask=seen).reshape(B, H, T, D)
