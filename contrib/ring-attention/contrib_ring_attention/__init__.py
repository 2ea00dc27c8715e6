"""Blockwise attention of ring-attention-pytorch.

Metadata only: nothing here imports torch, or ring-attention-pytorch.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    """Register the attention operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/ring-attention",
            contract="attention.exact@1",
            target="contrib_ring_attention.ring:ring_attention",
            summary="Exact attention by blocks, as each member of a ring computes it.",
            features=("mask:none", "mask:causal"),
            gradients="first",
            requires=("ring-attention-pytorch>=0.5.20,<0.6",),
            paper="arXiv:2310.01889",
            license="Apache-2.0",
            upstream="https://github.com/lucidrains/ring-attention-pytorch",
        ),
    ]
