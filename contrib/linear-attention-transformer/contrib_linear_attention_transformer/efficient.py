"""Efficient attention of linear-attention-transformer.

Adapter of linear-attention-transformer (MIT), versions >=0.19.1,<0.20. Differs: the scale of the
contract is applied before upstream's softmax of the queries, and upstream's 1 / sqrt(D) after it is
taken out; causal attention is not declared, because upstream's form misses the contract's bound.
"""

from __future__ import annotations

from linear_attention_transformer.linear_attention_transformer import linear_attn
from torch import Tensor


def efficient_attention(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Call `linear_attn`; every query sees every key.

    Args:
        q_BHTD: Queries.
        k_BKSD: Keys; K divides H.
        v_BKSD: Values, like the keys.
        mask: Not supported, None.
        is_causal: Not supported, False.
        scale: Of the products; None for 1 / sqrt(D).
    """
    groups = q_BHTD.shape[1] // k_BKSD.shape[1]
    k_BHSD, v_BHSD = (t.repeat_interleave(groups, 1) for t in (k_BKSD, v_BKSD))
    root = q_BHTD.shape[-1] ** 0.5
    factor = 1 / root if scale is None else scale
    return linear_attn(q_BHTD * factor, k_BHSD, v_BHSD) * root
