"""Sparse attention weights by entmax.

Metadata only: nothing here imports torch, or entmax.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    """Register the attention operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/entmax15-attention",
            contract="attention.approx@1",
            target="contrib_entmax.sparse:entmax15_attention",
            summary="Attention with 1.5-entmax weights, many of them exactly zero.",
            gradients="first",
            features=("mask:none", "mask:causal", "gqa", "structure:local", "structure:retrieval"),
            requires=("entmax>=1.3,<2",),
            paper="arXiv:1905.05702",
            license="Apache-2.0",
            upstream="https://github.com/deep-spin/entmax",
        ),
        dougong.Operator(
            name="contrib/sparsemax-attention",
            contract="attention.approx@1",
            target="contrib_entmax.sparse:sparsemax_attention",
            summary="Attention with sparsemax weights, most of them exactly zero.",
            gradients="first",
            features=("mask:none", "mask:causal", "gqa", "structure:local", "structure:retrieval"),
            requires=("entmax>=1.3,<2",),
            paper="arXiv:1602.02068",
            license="Apache-2.0",
            upstream="https://github.com/deep-spin/entmax",
        ),
    ]
