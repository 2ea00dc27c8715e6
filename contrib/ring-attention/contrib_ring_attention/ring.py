"""Blockwise attention of ring-attention-pytorch.

Adapter of ring-attention-pytorch (MIT), versions >=0.5.20,<0.6. Differs: one process, so that the
ring has one member and what is left is its blockwise attention; float32 only, because upstream's
accumulator refuses bfloat16; a scale of the call is folded into the queries.
"""

from __future__ import annotations

from ring_attention_pytorch.ring_flash_attention import ring_flash_attn
from torch import Tensor


def ring_attention(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Call `ring_flash_attn` in a ring of one.

    Args:
        q_BHTD: Queries.
        k_BKSD: Keys; K divides H.
        v_BKSD: Values, like the keys.
        mask: Not supported, None.
        is_causal: See the contract.
        scale: Of the products; None for 1 / sqrt(D).
    """
    if scale is not None:  # upstream multiplies by 1 / sqrt(D) itself
        q_BHTD = q_BHTD * (scale * q_BHTD.shape[-1] ** 0.5)
    q, k, v = (t.transpose(1, 2) for t in (q_BHTD, k_BKSD, v_BKSD))
    return ring_flash_attn(q, k, v, causal=is_causal).transpose(1, 2)
