"""Which keys a query may see: what every attention here agrees on.

Query i of T sees key j of S under `is_causal` when j <= i + S - T: the last query is aligned with
the last key, so that one new query against a cache of S keys sees all of them. A mask applies on
top: where it is boolean, True means "attend"; where it is floating point, it is added to the
scores, and -inf hides a key.

Shape suffixes: B = batch, H = query heads, T = queries, S = keys.
"""

from __future__ import annotations

import torch
from torch import Tensor


def causal_mask(T: int, S: int, device: torch.device) -> Tensor:
    """Return the boolean mask (T, S) that is True where query i may see key j."""
    last_T1 = torch.arange(T, device=device).unsqueeze(1) + (S - T)
    return torch.arange(S, device=device) <= last_T1


def boolean_mask(
    mask: Tensor | None, *, is_causal: bool, T: int, S: int, device: torch.device
) -> Tensor | None:
    """Merge a boolean mask with causality.

    Returns:
        Broadcastable to (B, H, T, S), True = attend, or None if every query sees every key.

    Raises:
        TypeError: the mask is not boolean.
    """
    if mask is not None and mask.dtype != torch.bool:
        raise TypeError(f"mask must be boolean here, got {mask.dtype}")
    if not is_causal or T == 1:  # the last query sees every key
        return mask
    causal_TS = causal_mask(T, S, device)
    return causal_TS if mask is None else causal_TS & mask


def added_to(scores_BHTS: Tensor, mask: Tensor | None, *, is_causal: bool) -> Tensor:
    """Return the scores with hidden keys at -inf and an additive mask added."""
    T, S = scores_BHTS.shape[-2:]
    if mask is not None and mask.dtype != torch.bool:
        scores_BHTS = scores_BHTS + mask
        mask = None
    visible = boolean_mask(mask, is_causal=is_causal, T=T, S=S, device=scores_BHTS.device)
    return scores_BHTS if visible is None else scores_BHTS.masked_fill(~visible, -torch.inf)
