"""The learned indexer while decoding: its keys of what was read before are kept.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size,
E = size of a head of the indexer.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dougong_plugins.attention.dsa.learned import Learned


class Cached:
    """A learned indexer that projects only the keys that a growing cache has more than before.

    A cache is taken for the one of the last call, grown, where its length fits and the last key
    known is there to the bit; otherwise, and for a whole prompt, all keys are projected anew.
    """

    page = 1

    def __init__(self, indexer: Learned) -> None:
        self._indexer = indexer
        self._known_BSE: Tensor | None = None
        self._last_BKD: Tensor | None = None

    def __call__(self, q_BHTD: Tensor, k_BKSD: Tensor) -> Tensor:
        """Return scores, float32, shape (B, 1, T, S)."""
        known = k_BKSD.shape[2] - q_BHTD.shape[2]
        if self._continues(k_BKSD, known) and self._known_BSE is not None:
            fresh_BSE = self._indexer.index_keys(k_BKSD[:, :, known:])
            keys_BSE = torch.cat((self._known_BSE, fresh_BSE), dim=1)
        else:
            keys_BSE = self._indexer.index_keys(k_BKSD)
        self._known_BSE, self._last_BKD = keys_BSE.detach(), k_BKSD[:, :, -1].detach().clone()
        return self._indexer.score(q_BHTD, keys_BSE)

    def _continues(self, k_BKSD: Tensor, known: int) -> bool:
        if self._known_BSE is None or self._last_BKD is None or known == 0:
            return False
        is_same_length = tuple(self._known_BSE.shape[:2]) == (len(k_BKSD), known)
        return is_same_length and torch.equal(self._last_BKD, k_BKSD[:, :, known - 1])
