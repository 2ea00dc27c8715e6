"""From queries and keys to what is kept: an indexer's scores, a selector's budget.

Shape suffixes: B = batch, H = query heads, K = key heads, G = scores a pair, T = queries, S = keys,
M = pages of keys, D = head size.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dougong_plugins.attention.dsa.indexers import Indexer
from dougong_plugins.attention.dsa.selectors import Selector


@torch.no_grad()
def choose(
    indexer: Indexer,
    selector: Selector,
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    visible: Tensor | None,
    *,
    block: int = 1,
) -> Tensor:
    """Return which keys each query keeps, boolean, shape (B, G, T, S); never a hidden one.

    Args:
        indexer: Ranks pages of keys.
        selector: Keeps some.
        q_BHTD: Queries.
        k_BKSD: Keys; the last query meets the last key.
        visible: Which keys a query may see, boolean, broadcastable to (B, H, T, S); None for all.
        block: Queries that share one selection; see `shared`.
    """
    T, S = q_BHTD.shape[2], k_BKSD.shape[2]
    if visible is None:
        visible = torch.ones(1, 1, T, S, dtype=torch.bool, device=q_BHTD.device)
    visible = visible[(None,) * (4 - visible.ndim)].expand(-1, -1, T, S)
    paged = _paged(visible, indexer.page)
    score_BGTM = indexer(q_BHTD, k_BKSD)
    if block > 1:
        score_BGTM = shared(score_BGTM, block)
    kept = selector(score_BGTM, paged, indexer.page)
    return kept.repeat_interleave(indexer.page, -1)[..., :S] & visible


def shared(score_BGTM: Tensor, block: int) -> Tensor:
    """Give all queries of a block the largest score that any of them has for a page.

    A query then knows of what later queries of its block look for: for prefill of a prompt that is
    there as a whole, not for training on next tokens.
    """
    B, G, T, M = score_BGTM.shape
    padded = functional.pad(score_BGTM, (0, 0, 0, -T % block), value=-torch.inf)
    most = padded.view(B, G, -1, block, M).amax(3)
    return most.repeat_interleave(block, 2)[:, :, :T]


def _paged(visible: Tensor, page: int) -> Tensor:
    """Return whether any key of a page is visible."""
    if page == 1:
        return visible
    padded = functional.pad(visible, (0, -visible.shape[-1] % page))
    return padded.view(*padded.shape[:-1], -1, page).any(-1)
