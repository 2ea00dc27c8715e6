"""Kernels for the CPU in C++, as operators: metadata only, torch is imported on first use."""

from __future__ import annotations

import dougong

ATTENTION = [
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
        summary="Attention to a fifth of the key blocks, ranked by a pooled map of it, in C++.",
        devices=("cpu",),
        dtypes=("float32", "bfloat16"),
        modes=("infer",),
        features=(
            "mask:none",
            "mask:causal",
            "gqa",
            "q_len!=k_len",
            "structure:local",
            "structure:retrieval",
        ),
        gradients="none",
        compiles="breaks",
        paper="arXiv:2407.02490",
        license="Apache-2.0",
    ),
]


def _fused(
    name: str, contract: str, function: str, definition: str, summary: str, paper: str
) -> dougong.Operator:
    return dougong.Operator(
        name=f"dougong/{name}-fused",
        contract=contract,
        target=f"dougong_kernels.{function}",
        reference=f"dougong.contracts.{definition}",
        summary=f"{summary} as one C++ kernel.",
        devices=("cpu",),
        dtypes=("float32", "bfloat16"),
        gradients="first",
        paper=paper,
        license="Apache-2.0",
    )


_RMS, _LAYER, _GROUP = "arXiv:1910.07467", "arXiv:1607.06450", "arXiv:1803.08494"
NORMS = [
    _fused("rms", "norm.rms@1", "norm:rms_norm", "norm.rms:rms_norm", "RMSNorm", _RMS),
    _fused(
        "layer", "norm.layer@1", "norm:layer_norm", "norm.layer:layer_norm", "LayerNorm", _LAYER
    ),
    _fused(
        "group", "norm.group@1", "norm:group_norm", "norm.group:group_norm", "GroupNorm", _GROUP
    ),
    _fused(
        "add-rms",
        "norm.add_rms@1",
        "norm:add_rms_norm",
        "norm.add_rms:add_rms_norm",
        "Residual addition and RMSNorm",
        _RMS,
    ),
    _fused(
        "add-layer",
        "norm.add_layer@1",
        "norm:add_layer_norm",
        "norm.add_layer:add_layer_norm",
        "Residual addition and LayerNorm",
        _LAYER,
    ),
]
ACTIVATIONS = [
    _fused(
        "gelu",
        "activation.gelu@1",
        "activation:gelu",
        "activation.gelu:gelu",
        "GELU, exact or by tanh,",
        "arXiv:1606.08415",
    ),
    _fused(
        "silu",
        "activation.silu@1",
        "activation:silu",
        "activation.silu:silu",
        "SiLU",
        "arXiv:1702.03118",
    ),
    _fused(
        "squared-relu",
        "activation.squared_relu@1",
        "activation:squared_relu",
        "activation.squared_relu:squared_relu",
        "Squared ReLU",
        "arXiv:2109.08668",
    ),
    _fused(
        "swiglu",
        "activation.swiglu@1",
        "activation:swiglu",
        "activation.swiglu:swiglu",
        "SwiGLU",
        "arXiv:2002.05202",
    ),
]


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    """Return the attentions of this distribution."""
    return ATTENTION


@dougong.hookimpl
def dougong_register_norm() -> list[dougong.Operator]:
    """Return the norms of this distribution."""
    return NORMS


@dougong.hookimpl
def dougong_register_activation() -> list[dougong.Operator]:
    """Return the activations of this distribution."""
    return ACTIVATIONS
