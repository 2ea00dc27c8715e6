"""What an indexer learns from: the attention that it is to imitate.

Paper: DeepSeek-AI, "DeepSeek-V3.2-Exp", 2025, eq. 3 and 4: the Kullback-Leibler divergence of the
softmax of the indexer's scores from the attention weights, summed over heads and normalised. No
gradient reaches the model.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dougong_plugins.attention.dsa.learned import Learned
from dougong_plugins.attention.dsa.weights import exact_weights, own_positions

_LEAST = 1e-9


def divergence(
    indexer: Learned,
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    *,
    scale: float | None = None,
    rows: Tensor | None = None,
    kept: Tensor | None = None,
) -> Tensor:
    """Return KL(attention || indexer) in nats, mean over queries; causal.

    Args:
        indexer: Learns; the queries and keys do not.
        q_BHTD: Queries of a layer, detached here.
        k_BKSD: Its keys.
        scale: Of the products; 1 / sqrt(D) if None.
        rows: Queries to look at, int64, or None for all: a few hundred say as much.
        kept: Keys that count, boolean, broadcastable to (B, 1, T, S), or None for all visible
            (the paper's dense and its sparse stage).
    """
    q_BHTD, k_BKSD = q_BHTD.detach(), k_BKSD.detach()
    T, S = q_BHTD.shape[2], k_BKSD.shape[2]
    at = own_positions(T, S, q_BHTD.device)
    if rows is not None:
        q_BHTD, at = q_BHTD[:, :, rows], at[rows]
        kept = None if kept is None else kept.expand(-1, -1, T, -1)[:, :, rows]
    visible = torch.arange(S, device=at.device) <= at
    visible = visible if kept is None else visible & kept[:, 0]
    with torch.no_grad():
        seen = visible if visible.ndim == 2 else visible.unsqueeze(1)
        target_BTS = exact_weights(q_BHTD, k_BKSD, seen, scale).mean(1)
    score_BTS = indexer.score(q_BHTD, indexer.index_keys(k_BKSD), at)[:, 0]
    found_BTS = score_BTS.masked_fill(~visible, -torch.inf).log_softmax(-1)
    gap_BTS = target_BTS.clamp(min=_LEAST).log() - found_BTS.masked_fill(~visible, 0)
    return (target_BTS * gap_BTS).sum(-1).mean()
