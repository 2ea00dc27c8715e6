"""Which keys are kept, given their scores and a budget.

All selectors keep exactly what the budget says: of equal scores the earlier page wins, and a query
that sees less than its budget keeps all of it. Where an indexer ranks pages, the budget counts
pages, rounded down, and the page of a query's own position counts whole.

Shape suffixes: B = batch, G = scores a pair, T = queries, S = keys, M = pages of keys.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import torch
from torch import Tensor


class Selector(Protocol):
    """What keeps pages."""

    def __call__(self, score_BGTM: Tensor, visible: Tensor, page: int) -> Tensor:
        """Return which pages are kept, boolean, shape (B, G, T, M), or more where masks differ.

        Args:
            score_BGTM: Floating point, larger is better.
            visible: Which page each query may see at all; broadcastable to the scores.
            page: Keys of a page.
        """
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Always:
    """What is kept whatever its score, within the budget."""

    sinks: int = 0
    """First keys."""
    recent: int = 1
    """Last keys that a query sees, its own among them."""

    def first(self, score_BGTM: Tensor, visible: Tensor, page: int) -> Tensor:
        """Return the scores, those of hidden pages -inf, those of what is always kept +inf."""
        score_BGTM, visible = _alike(score_BGTM, visible)
        sinks, recent = -(-self.sinks // page), -(-self.recent // page)
        rank = visible.int().cumsum(-1)
        always = visible & ((rank <= sinks) | (rank > rank[..., -1:] - recent))
        return score_BGTM.masked_fill(~visible, -torch.inf).masked_fill(always, torch.inf)


@dataclasses.dataclass(frozen=True)
class TopK:
    """A number of keys a query."""

    k: int
    always: Always = Always()

    def __call__(self, score_BGTM: Tensor, visible: Tensor, page: int) -> Tensor:
        seen = visible.sum(-1, keepdim=True)
        count = seen.clamp(max=max(1, self.k // page))
        return best(self.always.first(score_BGTM, visible, page), count)


@dataclasses.dataclass(frozen=True)
class Ratio:
    """A share of the keys that a query sees, rounded up, but at least a few."""

    ratio: float
    least: int = 16
    always: Always = Always()

    def __call__(self, score_BGTM: Tensor, visible: Tensor, page: int) -> Tensor:
        seen = visible.sum(-1, keepdim=True)
        # Rounded first: 0.2 * 5 must keep one key, not two.
        wanted = (seen.double() * self.ratio).round(decimals=9).ceil().long()
        count = torch.minimum(seen, wanted.clamp(min=max(1, self.least // page)))
        return best(self.always.first(score_BGTM, visible, page), count)


@dataclasses.dataclass(frozen=True)
class Mass:
    """The fewest keys that hold a share of the softmax of the scores, which must be logits."""

    mass: float
    least: int = 16
    always: Always = Always()

    def __call__(self, score_BGTM: Tensor, visible: Tensor, page: int) -> Tensor:
        score_BGTM, visible = _alike(score_BGTM, visible)
        blind = ~visible.any(-1, keepdim=True)
        logit = score_BGTM.float().masked_fill(~visible, -torch.inf).masked_fill(blind, 0)
        ranked = logit.softmax(-1).sort(dim=-1, descending=True, stable=True).values
        count = (ranked.cumsum(-1) - ranked < self.mass).sum(-1, keepdim=True)
        seen = visible.sum(-1, keepdim=True)
        count = torch.minimum(seen, count.clamp(min=max(1, self.least // page)))
        return best(self.always.first(score_BGTM, visible, page), count)


def best(score_BGTM: Tensor, count: Tensor) -> Tensor:
    """Return the `count` best pages of each query as a boolean mask; ties go to the earlier one.

    Args:
        score_BGTM: Hidden pages at -inf.
        count: Broadcastable to (B, G, T, 1); at most the pages a query sees.
    """
    most = int(count.max()) if count.numel() else 0
    if most == 0:
        return torch.zeros_like(score_BGTM, dtype=torch.bool)
    last = count.expand(*score_BGTM.shape[:3], 1).clamp(min=1) - 1
    least = score_BGTM.topk(most, dim=-1).values.gather(-1, last)
    above, level = score_BGTM > least, score_BGTM == least
    room = count - above.sum(-1, keepdim=True)
    return (above | (level & (level.int().cumsum(-1) <= room))) & (count > 0)


def _alike(score_BGTM: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    one, other = torch.broadcast_tensors(score_BGTM, visible)  # type: ignore[no-untyped-call] # torch does not annotate it
    return one, other
