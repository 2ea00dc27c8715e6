"""Dynamic sparse attention behind the contract of attention.

Papers: as in `dougong_plugins.attention.dsa`. Without a trained indexer the bounds of Quest
(arXiv:2406.10774) rank pages of 16 keys, and 16 queries share a choice.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dougong_plugins.attention.dsa.choosing import choose
from dougong_plugins.attention.dsa.indexers import Indexer, Quest
from dougong_plugins.attention.dsa.kernels import BLOCK, Kernel, gathered, reference
from dougong_plugins.attention.dsa.selectors import Always, Ratio, Selector
from dougong_plugins.attention.visibility import causal_mask

_QUEST = Quest()
_FIFTH = Ratio(0.2, least=128, always=Always(sinks=4))


def dsa(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    indexer: Indexer = _QUEST,
    selector: Selector = _FIFTH,
    block: int = BLOCK,
    kernel: Kernel = gathered,
) -> Tensor:
    """Attend exactly to the keys that the indexer ranks highest and not at all to the others.

    Gradients flow through the kept keys, not through the choice. With `block` above 1 the queries
    of a block share a choice, made with what all of them look for; for training on next tokens,
    and for the same choices in prefill and decoding, use `block=1`.

    Args:
        q_BHTD: Queries, shape (B, H, T, D).
        k_BKSD: Keys, shape (B, K, S, D), K a divisor of H.
        v_BKSD: Values, shape (B, K, S, Dv).
        mask: Broadcastable to (B, H, T, S). Boolean: True = attend. Floating point: added to the
            scaled products, -inf hides a key. Hidden keys are never chosen.
        is_causal: Query i sees keys j <= i + S - T only; applies besides `mask`.
        scale: Of the products; 1 / sqrt(D) if None.
        indexer: Ranks keys, or pages of them; `Quest` needs no training.
        selector: The budget; a fifth of the keys that a query sees, but at least 128.
        block: Queries that share a choice.
        kernel: Attends to what was kept.

    Returns:
        Shape (B, H, T, Dv), dtype of `q_BHTD`; zeros for a query that sees no key.

    Raises:
        ValueError: K does not divide H.
    """
    if q_BHTD.shape[1] % k_BKSD.shape[1]:
        raise ValueError(
            f"key heads must divide the {q_BHTD.shape[1]} query heads, got {k_BKSD.shape[1]}"
        )
    if q_BHTD.numel() == 0 or k_BKSD.numel() == 0:
        return q_BHTD.new_zeros(*q_BHTD.shape[:3], v_BKSD.shape[-1])
    visible = _visible(q_BHTD, k_BKSD, mask, is_causal)
    kept = choose(indexer, selector, q_BHTD, k_BKSD, visible, block=block)
    return kernel(q_BHTD, k_BKSD, v_BKSD, kept, mask=mask, scale=scale)


def dsa_reference(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """`dsa` by `standard`, under a mask of T * S that hides what was not chosen."""
    return dsa(
        q_BHTD, k_BKSD, v_BKSD, mask=mask, is_causal=is_causal, scale=scale, kernel=reference
    )


def _visible(q_BHTD: Tensor, k_BKSD: Tensor, mask: Tensor | None, is_causal: bool) -> Tensor | None:
    seen = None
    if mask is not None:
        seen = mask if mask.dtype == torch.bool else mask > -torch.inf
    if not is_causal:
        return seen
    causal_TS = causal_mask(q_BHTD.shape[2], k_BKSD.shape[2], q_BHTD.device)
    return causal_TS if seen is None else seen & causal_TS
