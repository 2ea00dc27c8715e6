"""Attention to the keys that were kept: three ways to the same result.

A kernel takes what attention takes, and which keys each query keeps. `reference` is the definition;
`masked` is as dear as dense attention and differentiable on torch's fused kernel; `gathered` never
touches a key that no query of a block keeps.

Shape suffixes: B = batch, H = query heads, K = key heads, G = 1 or H, T = queries, S = keys,
D = head size, N = blocks of queries, C = queries of a block, L = keys of a block.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from dougong_plugins.attention.gathered import attend_at
from dougong_plugins.attention.standard import standard
from dougong_plugins.attention.torch_sdpa import torch_sdpa

BLOCK = 16


class Kernel(Protocol):
    """What attends."""

    def __call__(
        self,
        q_BHTD: Tensor,
        k_BKSD: Tensor,
        v_BKSD: Tensor,
        kept_BGTS: Tensor,
        *,
        mask: Tensor | None = None,
        scale: float | None = None,
    ) -> Tensor:
        """Return (B, H, T, Dv), zeros for a query that keeps no key.

        Args:
            q_BHTD: Queries.
            k_BKSD: Keys.
            v_BKSD: Values.
            kept_BGTS: Boolean; has causality and all that a boolean mask hides in it already.
            mask: An additive mask, for what it adds; broadcastable to (B, H, T, S).
            scale: Of the products; 1 / sqrt(D) if None.
        """
        ...


def reference(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    kept_BGTS: Tensor,
    *,
    mask: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Attend as the textbook does, with all that was not kept hidden; see `Kernel`."""
    return standard(q_BHTD, k_BKSD, v_BKSD, mask=_merged(kept_BGTS, mask), scale=scale)


def masked(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    kept_BGTS: Tensor,
    *,
    mask: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Attend with torch's fused kernel under a mask; see `Kernel`."""
    return torch_sdpa(q_BHTD, k_BKSD, v_BKSD, mask=_merged(kept_BGTS, mask), scale=scale)


def gathered(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    kept_BGTS: Tensor,
    *,
    mask: Tensor | None = None,
    scale: float | None = None,
    block: int = BLOCK,
) -> Tensor:
    """Attend, for each block of queries, to the keys that any of them keeps; see `Kernel`.

    Work is T * L, where L is the most keys that a block keeps: least where its queries share them.
    """
    B, H, T, _ = q_BHTD.shape
    C = min(block, T)
    kept_BGTS = kept_BGTS.expand(B, -1, T, -1)
    kept_BHNCS = _blocks(kept_BGTS.expand(-1, H, -1, -1), C)
    any_BHNS = kept_BHNCS.any(3)
    L = int(any_BHNS.sum(-1).max())
    # Kept keys first, in order: a stable sort of booleans.
    order_BHNS = any_BHNS.to(torch.uint8).sort(dim=-1, descending=True, stable=True).indices
    at_BHNL = order_BHNS[..., : max(1, L)]
    seen = kept_BHNCS.gather(-1, at_BHNL.unsqueeze(3).expand(-1, -1, -1, C, -1))
    if mask is not None and mask.dtype == torch.bool:
        mask = None
    out: Tensor = attend_at(q_BHTD, k_BKSD, v_BKSD, at_BHNL, seen, mask=mask, scale=scale)
    return out


def _blocks(kept_BHTS: Tensor, C: int) -> Tensor:
    B, H, T, S = kept_BHTS.shape
    padded = functional.pad(kept_BHTS, (0, 0, 0, -T % C))
    return padded.view(B, H, -1, C, S)


def _merged(kept_BGTS: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None or mask.dtype == torch.bool:
        return kept_BGTS
    return torch.where(kept_BGTS, mask, -torch.inf)
