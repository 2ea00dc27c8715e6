"""Attention in chunks, memory-efficient-attention-pytorch.

Metadata only: nothing here imports torch, or memory-efficient-attention-pytorch.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    """Register the attention operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/memory-efficient-attention",
            contract="attention.exact@1",
            target="contrib_memory_efficient_attention.chunked:chunked_attention",
            summary="Exact attention in chunks with a running softmax.",
            features=("mask:none", "mask:causal", "gqa"),
            modes=("infer",),
            requires=("memory-efficient-attention-pytorch>=0.1.6,<0.2",),
            paper="arXiv:2112.05682",
            license="Apache-2.0",
            upstream="https://github.com/lucidrains/memory-efficient-attention-pytorch",
        ),
    ]
