"""What stands beside a growing cache of keys while tokens are generated.

Paper: Tang et al., "Quest: Query-Aware Sparsity for Efficient Long-Context LLM Inference", 2024,
arXiv:2406.10774.

Shape suffixes as in `dougong_kernels.selection`; M are pages of 64 keys, C those there is room for.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dougong_kernels import library
from dougong_kernels.exact import dense_rows
from dougong_kernels.selection import BLOCK, Blocks

_ROOM = 16
"""Fewest pages there is room for."""


class PageBounds:
    """Smallest and largest key of each page of a growing cache, for selections while decoding.

    An upper bound of a query's products with a page's keys follows from these: Quest, eq. 1. They
    are kept in bfloat16, rounded outwards so that they stay bounds: 2 / 64 of a bfloat16 cache's
    keys, 1 / 64 of a float32 one's.
    """

    def __init__(self, k_BKSD: Tensor) -> None:
        B, K, _, D = k_BKSD.shape
        self._whole = self._pages = 0
        self._low_BKCD = torch.empty(B, K, 0, D, dtype=torch.bfloat16)
        self._high_BKCD = self._low_BKCD
        self.update(k_BKSD)

    def update(self, k_BKSD: Tensor) -> None:
        """Take in the keys that the cache has more than at the last call."""
        B, K, S, D = k_BKSD.shape
        self._pages = math.ceil(S / BLOCK)
        self._make_room(self._pages)
        whole = S // BLOCK
        if whole > self._whole:
            fresh = k_BKSD[:, :, self._whole * BLOCK : whole * BLOCK]
            self._set(slice(self._whole, whole), fresh.reshape(B, K, -1, BLOCK, D))
        if S % BLOCK:
            self._set(slice(whole, whole + 1), k_BKSD[:, :, whole * BLOCK :].unsqueeze(2))
        self._whole = whole

    @torch.no_grad()
    def choose(self, q_BHTD: Tensor, *, keep: float) -> Blocks:
        """Keep the pages of the largest bounds, one selection for the heads that share keys.

        Args:
            q_BHTD: The newest queries, shape (B, H, T, D), aligned with the end of the cache.
            keep: Share of all pages, in (0, 1]; rounded up, the first and the last always kept.

        Returns:
            Index (B, K, 1, J), count (B, K, 1).
        """
        B, K, C, D = self._low_BKCD.shape
        M = self._pages
        J = min(M, max(2, math.ceil(round(keep * M, 9))))
        count_BK1 = torch.full((B, K, 1), J, dtype=torch.int32)
        found = library.kernels() if q_BHTD.dtype in (torch.float32, torch.bfloat16) else None
        if found is None:
            return Blocks(self._chosen(q_BHTD, J), count_BK1)
        q_BHTD = dense_rows(q_BHTD)
        index_BK1J = torch.empty(B, K, 1, J, dtype=torch.int32)
        found.pages(
            library.Pages(
                q=q_BHTD.data_ptr(),
                low=self._low_BKCD.data_ptr(),
                high=self._high_BKCD.data_ptr(),
                B=B,
                H=q_BHTD.shape[1],
                K=K,
                T=q_BHTD.shape[2],
                D=D,
                M=M,
                capacity=C,
                J=J,
                q_strides=library.strides_of(q_BHTD),
                is_bfloat16=q_BHTD.dtype == torch.bfloat16,
                threads=torch.get_num_threads(),
                index=index_BK1J.data_ptr(),
            )
        )
        return Blocks(index_BK1J, count_BK1)

    def bounds(self, q_BHTD: Tensor) -> Tensor:
        """Return the upper bound of each page's products, over the heads that share it: (B, K, M).

        The definition of what `choose` ranks by, in plain PyTorch.
        """
        B, K, _, D = self._low_BKCD.shape
        q_BKRD = q_BHTD.float().reshape(B, K, -1, D)
        # sum_d max(q_d * low_d, q_d * high_d), as two products
        bound_BKRM = q_BKRD.clamp(min=0) @ self._high_BKCD[:, :, : self._pages].float().mT
        bound_BKRM += q_BKRD.clamp(max=0) @ self._low_BKCD[:, :, : self._pages].float().mT
        return bound_BKRM.amax(2)

    def _chosen(self, q_BHTD: Tensor, J: int) -> Tensor:
        score_BKM = self.bounds(q_BHTD)
        score_BKM[..., 0] = score_BKM[..., -1] = torch.inf
        index_BKJ = score_BKM.topk(J, dim=-1, sorted=False).indices.sort(-1).values
        return index_BKJ.unsqueeze(2).int().contiguous()

    def _make_room(self, pages: int) -> None:
        B, K, C, D = self._low_BKCD.shape
        if pages <= C:
            return
        C = max(_ROOM, pages + pages // 2)
        for name in ("_low_BKCD", "_high_BKCD"):
            more = torch.zeros(B, K, C, D, dtype=torch.bfloat16)
            more[:, :, : self._whole] = getattr(self, name)[:, :, : self._whole]
            setattr(self, name, more)

    def _set(self, pages: slice, k_BKMSD: Tensor) -> None:
        low, high = k_BKMSD.amin(3).float(), k_BKMSD.amax(3).float()
        if k_BKMSD.dtype != torch.bfloat16:
            low, high = low - low.abs() / 256, high + high.abs() / 256
        self._low_BKCD[:, :, pages], self._high_BKCD[:, :, pages] = low, high
