"""Attention in chunks, memory-efficient-attention-pytorch.

Adapter of memory-efficient-attention-pytorch (MIT), versions >=0.1.6,<0.2. Differs: key heads are
repeated beforehand; a scale of the call is folded into the queries; inference only, because
upstream checkpoints its chunks in the way that `torch.autograd.grad` refuses.
"""

from __future__ import annotations

from memory_efficient_attention_pytorch.memory_efficient_attention import (
    memory_efficient_attention,
)
from torch import Tensor


def chunked_attention(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Call `memory_efficient_attention` with its own sizes of chunks.

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
    groups = q_BHTD.shape[1] // k_BKSD.shape[1]
    k_BHSD, v_BHSD = (t.repeat_interleave(groups, 1) for t in (k_BKSD, v_BKSD))
    return memory_efficient_attention(q_BHTD, k_BHSD, v_BHSD, causal=is_causal)
