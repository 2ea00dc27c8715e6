"""Chunked linear attention of fla-core.

Metadata only: nothing here imports torch, or fla-core.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    """Register the attention operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/fla-linear-attention",
            contract="attention.approx@1",
            target="contrib_fla_core.chunks:linear_attention",
            summary="Causal linear attention in chunks of 64, features elu(x) + 1.",
            features=("mask:causal", "gqa"),
            gradients="first",
            requires=("fla-core>=0.6,<0.7",),
            paper="arXiv:2006.16236",
            license="Apache-2.0",
            upstream="https://github.com/fla-org/flash-linear-attention",
        ),
    ]
