"""The learned indexer that keeps the heads: attention itself, in a few dimensions a head.

Where a lightning indexer imitates the mean of the heads with heads of its own, this one gives each
head of the layer its own products, in R of its D dimensions, and takes the mean of their softmaxes.
So what a single head looks for is found, too, such as the place that a retrieval head points at.

Papers: Singhania et al., "Loki: Low-rank Keys for Efficient Sparse Attention", 2024,
arXiv:2406.02542 (products in the principal components of the keys rank keys); DeepSeek-AI,
"DeepSeek-V3.2-Exp", 2025 (one choice for all heads, distilled from the sum of their weights).
Differs from the papers: the projection minimises the error of the products, queries counted, in
closed form (`fitted`), and then learns from the divergence (`distilling`).

Shape suffixes: B = batch, H = query heads, K = key heads, G = query heads of a key head,
T = queries, S = keys, D = head size, R = dimensions kept.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dougong_plugins.attention.dsa.lightning import Place, Sizes

_LEAST = 1e-12


class LowRank(nn.Module):
    """One layer's indexer; its scores are logits of the mean of the heads' weights."""

    page = 1

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        shape = sizes.key_heads, sizes.head_size, sizes.index_size
        self.queries = nn.Parameter(torch.randn(shape) * sizes.index_size**-0.5)
        self.keys = nn.Parameter(self.queries.detach().clone())
        self.place = Place()

    def forward(self, q_BHTD: Tensor, k_BKSD: Tensor) -> Tensor:
        """Return scores, float32, shape (B, 1, T, S)."""
        return self.score(q_BHTD, self.index_keys(k_BKSD))

    def index_keys(self, k_BKSD: Tensor) -> Tensor:
        """Return the indexer's keys, shape (B, S, K * R): what a decoder caches beside its own."""
        keys: Tensor = (k_BKSD.to(self.keys.dtype) @ self.keys).transpose(1, 2).flatten(2)
        return keys

    def score(self, q_BHTD: Tensor, keys: Tensor, at: Tensor | None = None) -> Tensor:
        """Score queries against the indexer's keys; causal.

        Args:
            q_BHTD: The layer's queries.
            keys: From `index_keys`.
            at: Key position of each query, shape (T, 1); aligned with the last key if None.
        """
        B, H, T, D = q_BHTD.shape
        K, S = self.sizes.key_heads, keys.shape[1]
        q_BKGTD = q_BHTD.to(self.queries.dtype).view(B, K, H // K, T, D)
        q_BKGTR = q_BKGTD @ self.queries.unsqueeze(1) * D**-0.5
        k_BKRS = keys.view(B, S, K, -1).permute(0, 2, 3, 1)
        place_TS, later_TS = self.place(T, S, at)
        total_BTS: Tensor | float = 0.0
        for head in range(H):
            group, member = divmod(head, H // K)
            product_BTS = q_BKGTR[:, group, member] @ k_BKRS[:, group]
            hidden_BTS = product_BTS.float().masked_fill(later_TS, -torch.inf)
            total_BTS = total_BTS + hidden_BTS.softmax(-1)
        logit_BTS = torch.as_tensor(total_BTS / H).clamp(min=_LEAST).log()
        score_BTS: Tensor = logit_BTS + place_TS
        return score_BTS.unsqueeze(1)

    @torch.no_grad()
    def fit(self, queries_KDD: Tensor, keys_KDD: Tensor, scale: float | None = None) -> None:
        """Choose the dimensions that lose least of the products.

        With second moments Q of the queries and C of the centred keys, the R-rank matrix nearest to
        the identity in ||Q^(1/2) (1 - A B^T) C^(1/2)|| follows from the singular vectors of
        Q^(1/2) C^(1/2) (Eckart and Young, 1936).

        Args:
            queries_KDD: Sum of q q^T over tokens and the query heads of each key head.
            keys_KDD: Sum of (k - mean)(k - mean)^T over tokens.
            scale: Of the layer's products; 1 / sqrt(D) if None.
        """
        root_q, inverse_q = _roots(queries_KDD)
        root_k, inverse_k = _roots(keys_KDD)
        U, s, V = torch.linalg.svd(root_q @ root_k)
        R = self.sizes.index_size
        weight_KR = s[:, None, :R].sqrt()
        sharper = 1.0 if scale is None else scale * queries_KDD.shape[-1] ** 0.5
        self.queries.copy_(inverse_q @ (U[..., :R] * weight_KR) * sharper)
        self.keys.copy_(inverse_k @ (V.mT[..., :R] * weight_KR))


def _roots(moments_KDD: Tensor) -> tuple[Tensor, Tensor]:
    """Return the square root of symmetric matrices, and its inverse where they are not empty."""
    values, vectors = torch.linalg.eigh(moments_KDD.double())
    least = values.amax(-1, keepdim=True) * 1e-9
    root = values.clamp(min=0).sqrt()
    inverse = torch.where(values > least, root.clamp(min=1e-30).reciprocal(), 0)
    whole, turned = (vectors * each.unsqueeze(-2) @ vectors.mT for each in (root, inverse))
    return whole.float(), turned.float()
