"""Chunked linear attention of fla-core.

Adapter of fla-core (MIT), versions >=0.6,<0.7. Differs: the plain-PyTorch form of chunked linear
attention, which runs on a CPU, not the Triton kernels; features elu(x) + 1 and padding to chunks of
64 are the adapter's; causal only.
"""

from __future__ import annotations

from fla.ops.linear_attn.naive import naive_chunk_linear_attn
from torch import Tensor
from torch.nn import functional

CHUNK = 64


def linear_attention(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Call `naive_chunk_linear_attn`; queries and keys must be equally many.

    Args:
        q_BHTD: Queries.
        k_BKSD: Keys; K divides H.
        v_BKSD: Values, like the keys.
        mask: Not supported, None.
        is_causal: Taken for True: no other workload is declared.
        scale: Of the products; None for 1 / sqrt(D).
    """
    groups = q_BHTD.shape[1] // k_BKSD.shape[1]
    k_BHSD, v_BHSD = (t.repeat_interleave(groups, 1) for t in (k_BKSD, v_BKSD))
    T = q_BHTD.shape[2]
    factor = q_BHTD.shape[-1] ** -0.5 if scale is None else scale
    features = (functional.elu(factor * q_BHTD) + 1, functional.elu(k_BHSD) + 1, v_BHSD)
    padding = (0, 0, 0, 0, 0, -T % CHUNK)
    q, k, v = (functional.pad(t.transpose(1, 2), padding) for t in features)
    found = naive_chunk_linear_attn(q, k, v, scale=1.0, normalize=True)
    return found[:, :T].transpose(1, 2)
