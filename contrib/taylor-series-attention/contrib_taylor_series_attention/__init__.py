"""Second-order Taylor attention of taylor-series-linear-attention.

Metadata only: nothing here imports torch, or taylor-series-linear-attention.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    """Register the attention operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/taylor-series-attention",
            contract="attention.approx@1",
            target="contrib_taylor_series_attention.taylor:taylor_attention",
            summary="Attention with 1 + qk + (qk)^2 / 2 in place of exp(qk).",
            features=("mask:none", "mask:causal", "gqa", "q_len!=k_len"),
            gradients="first",
            requires=("taylor-series-linear-attention>=0.2,<0.3",),
            paper="arXiv:2402.18668",
            license="Apache-2.0",
            upstream="https://github.com/lucidrains/taylor-series-linear-attention",
        ),
    ]
