"""Second-order Taylor attention of taylor-series-linear-attention.

Adapter of taylor-series-linear-attention (MIT), versions >=0.2,<0.3. Differs: only the feature map
`second_taylor_expansion` is upstream's: its module has projections of its own; the products around
it are written here, the causal ones with the whole matrix of weights.
"""

from __future__ import annotations

from taylor_series_linear_attention.attention import second_taylor_expansion
from torch import Tensor


def taylor_attention(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Average the values by upstream's features of queries and keys.

    Args:
        q_BHTD: Queries.
        k_BKSD: Keys; K divides H.
        v_BKSD: Values, like the keys.
        mask: Not supported, None.
        is_causal: See the contract.
        scale: Of the products; None for 1 / sqrt(D).
    """
    groups = q_BHTD.shape[1] // k_BKSD.shape[1]
    k_BHSD, v_BHSD = (t.repeat_interleave(groups, 1) for t in (k_BKSD, v_BKSD))
    if not q_BHTD.numel():
        return v_BHSD.new_zeros(q_BHTD.shape)
    factor = q_BHTD.shape[-1] ** -0.5 if scale is None else scale
    q_BHTF, k_BHSF = (second_taylor_expansion(t) for t in (factor * q_BHTD, k_BHSD))
    if is_causal:
        T, S = q_BHTF.shape[2], k_BHSF.shape[2]
        weights_BHTS = (q_BHTF @ k_BHSF.mT).tril(S - T)
        # A query that sees no key gets zeros; no weight is negative.
        total_BHT1 = weights_BHTS.sum(-1, keepdim=True).clamp_min(1e-30)
        return (weights_BHTS @ v_BHSD) / total_BHT1
    return q_BHTF @ (k_BHSF.mT @ v_BHSD) / (q_BHTF @ k_BHSF.sum(2).unsqueeze(-1))
