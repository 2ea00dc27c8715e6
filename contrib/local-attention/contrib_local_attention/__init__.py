"""Attention in windows, local-attention.

Metadata only: nothing here imports torch, or local-attention.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    """Register the attention operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/local-attention",
            contract="attention.approx@1",
            target="contrib_local_attention.windows:local_attention",
            summary="Attention within windows of 128 and their neighbours.",
            features=("mask:none", "mask:causal", "gqa", "structure:local"),
            gradients="first",
            requires=("local-attention>=1.11,<2",),
            paper="arXiv:2004.05150",
            license="Apache-2.0",
            upstream="https://github.com/lucidrains/local-attention",
        ),
    ]
