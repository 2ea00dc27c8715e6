"""Attention (exact, approximate, and the gated delta rule): metadata only."""

from __future__ import annotations

import dougong

_LICENSE = "Apache-2.0"
_EVERY_MASK = (
    "mask:none",
    "mask:causal",
    "mask:boolean",
    "mask:additive",
    "gqa",
    "q_len!=k_len",
)

OPERATORS = [
    dougong.Operator(
        name="dougong/torch-sdpa",
        contract="attention.exact@1",
        target="dougong_plugins.attention.torch_sdpa:torch_sdpa",
        reference="dougong_plugins.attention.standard:standard",
        summary="Exact attention by torch's fused scaled_dot_product_attention.",
        dtypes=("float64", "float32", "bfloat16", "float16"),
        gradients="first",
        paper="arXiv:2205.14135",
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/standard",
        contract="attention.exact@1",
        target="dougong_plugins.attention.standard:standard",
        reference="dougong_plugins.attention.standard:standard",
        summary="Exact attention as the textbook writes it: scores, softmax, weighted sum.",
        dtypes=("float64", "float32", "bfloat16", "float16"),
        gradients="second",
        paper="arXiv:1706.03762",
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/linear",
        contract="attention.approx@1",
        target="dougong_plugins.attention.linear:linear",
        reference="dougong_plugins.attention.linear:linear_reference",
        summary="Linear attention by the feature map elu + 1, chunked where causal.",
        dtypes=("float64", "float32", "bfloat16", "float16"),
        features=_EVERY_MASK,
        gradients="first",
        paper="arXiv:2006.16236",
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/sparse-topk",
        contract="attention.approx@1",
        target="dougong_plugins.attention.sparse_topk:sparse_topk",
        reference="dougong_plugins.attention.sparse_topk:sparse_topk_reference",
        summary="Attention to the quarter of key blocks that pooled keys rank highest.",
        dtypes=("float64", "float32", "bfloat16", "float16"),
        gradients="first",
        paper="arXiv:2502.13189",
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/sliding-window",
        contract="attention.approx@1",
        target="dougong_plugins.attention.sliding_window:sliding_window",
        reference="dougong_plugins.attention.sliding_window:sliding_window_reference",
        summary="Attention to a window of 128 keys and the first four.",
        dtypes=("float64", "float32", "bfloat16", "float16"),
        features=(*_EVERY_MASK, "structure:local"),
        gradients="first",
        paper="arXiv:2309.17453",
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/dsa",
        contract="attention.approx@1",
        target="dougong_plugins.attention.dsa.operator:dsa",
        reference="dougong_plugins.attention.dsa.operator:dsa_reference",
        summary="Attention to the fifth of the keys that an indexer ranks highest.",
        dtypes=("float64", "float32", "bfloat16", "float16"),
        gradients="first",
        compiles="breaks",
        paper="arXiv:2406.10774",
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/flash-triton",
        contract="attention.exact@1",
        target="dougong_plugins.triton.attention:attention",
        reference="dougong_plugins.attention.standard:standard",
        summary="Exact attention in Triton, block by block, with its gradients.",
        devices=("cuda",),
        dtypes=("float32", "bfloat16", "float16"),
        gradients="first",
        requires=("triton>=3.2",),
        needs=("cuda>=8.0",),
        paper="arXiv:2307.08691",
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/sparse-triton",
        contract="attention.approx@1",
        target="dougong_plugins.triton.attention:block_sparse",
        reference="dougong_plugins.attention.sparse_topk:sparse_topk_reference",
        summary="Attention in Triton to the key blocks that sparse-topk chooses, forward only.",
        devices=("cuda",),
        dtypes=("float32", "bfloat16", "float16"),
        modes=("infer",),
        compiles="none",
        requires=("triton>=3.2",),
        needs=("cuda>=8.0",),
        paper="arXiv:2502.13189",
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/gated-delta",
        contract="attention.gated_delta@1",
        target="dougong_plugins.attention.gated_delta:gated_delta",
        reference="dougong_plugins.attention.gated_delta:gated_delta_recurrent",
        summary="The gated delta rule chunk by chunk, by a triangular inverse.",
        dtypes=("float32", "bfloat16"),
        gradients="first",
        paper="arXiv:2412.06464",
        license=_LICENSE,
    ),
]


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    """Return the first-party attentions."""
    return OPERATORS
