"""Attention for the CPU in C++, as operators: metadata only, torch is imported on first use."""

from __future__ import annotations

import dougong

OPERATORS = [
    dougong.Operator(
        name="dougong/cpu-attention",
        contract="attention.exact@1",
        target="dougong_kernels.exact:attention",
        reference="dougong_kernels.definition:attention",
        summary="Exact attention in tiles, in C++; masks go to torch's own kernel.",
        devices=("cpu",),
        dtypes=("float32", "bfloat16"),
        gradients="first",
        compiles="breaks",
        paper="arXiv:2205.14135",
        license="Apache-2.0",
    ),
    dougong.Operator(
        name="dougong/cpu-block-sparse",
        contract="attention.approx@1",
        target="dougong_kernels.sparse:sparse",
        reference="dougong_kernels.sparse:sparse_reference",
        summary="Attention to a fifth of the key blocks, ranked by pooled keys, in C++.",
        devices=("cpu",),
        dtypes=("float32", "bfloat16"),
        modes=("infer",),
        features=("mask:none", "mask:causal", "gqa", "q_len!=k_len"),
        gradients="none",
        compiles="breaks",
        paper="arXiv:2502.13189",
        license="Apache-2.0",
    ),
]


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    """Return the attentions of this distribution."""
    return OPERATORS
