"""Sparse attention weights by entmax.

Adapter of entmax (MIT), versions >=1.3,<2. Differs: another function than the softmax, which the
contract measures as an approximation of it; keys that are not seen get -1e4 before it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from entmax import entmax15, sparsemax
from torch import Tensor

HIDDEN = -1e4


def entmax15_attention(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Average the values by `entmax.entmax15` of the scaled products.

    Args:
        q_BHTD: Queries.
        k_BKSD: Keys; K divides H.
        v_BKSD: Values, like the keys.
        mask: Not supported, None.
        is_causal: See the contract.
        scale: Of the products; None for 1 / sqrt(D).
    """
    return _attention(entmax15, q_BHTD, k_BKSD, v_BKSD, is_causal, scale)


def sparsemax_attention(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Average the values by `entmax.sparsemax` of the scaled products.

    Args:
        q_BHTD: Queries.
        k_BKSD: Keys; K divides H.
        v_BKSD: Values, like the keys.
        mask: Not supported, None.
        is_causal: See the contract.
        scale: Of the products; None for 1 / sqrt(D).
    """
    return _attention(sparsemax, q_BHTD, k_BKSD, v_BKSD, is_causal, scale)


def _attention(
    weigh: Callable[..., Tensor],
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    is_causal: bool,
    scale: float | None,
) -> Tensor:
    groups = q_BHTD.shape[1] // k_BKSD.shape[1]
    k_BHSD, v_BHSD = (t.repeat_interleave(groups, 1) for t in (k_BKSD, v_BKSD))
    factor = q_BHTD.shape[-1] ** -0.5 if scale is None else scale
    logits_BHTS = factor * (q_BHTD @ k_BHSD.mT)
    if is_causal:
        T, S = logits_BHTS.shape[-2:]
        seen_TS = torch.ones(T, S, dtype=torch.bool, device=q_BHTD.device).tril(S - T)
        logits_BHTS = logits_BHTS.masked_fill(~seen_TS, HIDDEN)
    return weigh(logits_BHTS, dim=-1) @ v_BHSD
