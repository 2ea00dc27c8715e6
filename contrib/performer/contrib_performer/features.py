"""FAVOR+ attention of performer-pytorch.

Adapter of performer-pytorch (MIT), versions >=1.1.4,<2. Differs: 256 random features, drawn from
seed 0 whatever the state of torch's generator, so that equal inputs give equal bits.
"""

from __future__ import annotations

import torch
from performer_pytorch.performer_pytorch import FastAttention
from torch import Tensor

FEATURES = 256


def performer_attention(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Call `FastAttention` with the softmax kernel.

    Args:
        q_BHTD: Queries.
        k_BKSD: Keys; K divides H.
        v_BKSD: Values, like the keys.
        mask: Not supported, None.
        is_causal: See the contract.
        scale: Of the products; None for 1 / sqrt(D).
    """
    if scale is not None:  # upstream multiplies by 1 / sqrt(D) itself
        q_BHTD = q_BHTD * (scale * q_BHTD.shape[-1] ** 0.5)
    groups = q_BHTD.shape[1] // k_BKSD.shape[1]
    k_BHSD, v_BHSD = (t.repeat_interleave(groups, 1) for t in (k_BKSD, v_BKSD))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = FastAttention(q_BHTD.shape[-1], nb_features=FEATURES, causal=is_causal)
    return module(q_BHTD, k_BHSD, v_BHSD)
