"""What a selection kept: how much work, and how much of the attention.

Shape suffixes: B = batch, H = query heads, K = key heads, G = scores a pair, T = queries, S = keys,
D = head size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import torch
from torch import Tensor

from dougong_plugins.attention.dsa.weights import exact_weights


@dataclasses.dataclass(frozen=True)
class Kept:
    """Counts over pairs of query and key, a head; sums over batch, heads, layers and calls."""

    operations: int
    """Products of query and key that are computed."""
    visible: int
    """Products that the masks allow: about half of all where attention is causal."""
    area: int
    """All products, T * S: what the founding article counts against."""
    mass: float
    """Sum over queries of the exact attention weight that the kept keys hold."""
    queries: int

    @property
    def share_of_visible(self) -> float:
        """Return the share of the work that dense attention with these masks does."""
        return self.operations / max(1, self.visible)

    @property
    def share_of_area(self) -> float:
        """Return the share of T * S."""
        return self.operations / max(1, self.area)

    @property
    def mean_mass(self) -> float:
        """Return the mean share of the exact attention weight that was kept."""
        return self.mass / max(1, self.queries)

    @staticmethod
    def total(found: Iterable[Kept]) -> Kept:
        """Return the sum."""
        rows = [dataclasses.astuple(each) for each in found]
        sums = [sum(column) for column in zip(*rows, strict=True)]
        return Kept(int(sums[0]), int(sums[1]), int(sums[2]), float(sums[3]), int(sums[4]))

    def __str__(self) -> str:
        return (
            f"{self.operations:,} of {self.area:,} score operations ({self.share_of_area:.1%}), "
            f"{self.share_of_visible:.1%} of what the masks allow, "
            f"holding {self.mean_mass:.1%} of the attention"
        )


@torch.no_grad()
def kept_of(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    kept: Tensor,
    visible: Tensor | None,
    scale: float | None = None,
) -> Kept:
    """Count what a selection kept, the mass by exact attention: for reports, not for speed.

    Args:
        q_BHTD: Queries.
        k_BKSD: Keys.
        kept: From `choose`.
        visible: As given to `choose`.
        scale: Of the products; 1 / sqrt(D) if None.
    """
    B, H, T, _ = q_BHTD.shape
    S = k_BKSD.shape[2]
    if visible is None:
        visible = kept.new_ones(T, S)
    weights = exact_weights(q_BHTD, k_BKSD, visible, scale)
    kept_BHTS = kept.expand(B, H, T, S)
    return Kept(
        operations=int(kept_BHTS.sum()),
        visible=int(visible.expand(B, H, T, S).sum()),
        area=B * H * T * S,
        mass=float((weights * kept_BHTS).sum()),
        queries=int(visible.any(-1).expand(B, H, T).sum()),
    )
