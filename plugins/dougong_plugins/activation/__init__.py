"""Activations (contracts `activation.*`): metadata only."""

from __future__ import annotations

import dougong

_LICENSE = "Apache-2.0"
_WIDE = ("float64", "float32", "bfloat16", "float16")
_GELU = "arXiv:1606.08415"
_SILU = "arXiv:1702.03118"
_SQUARED_RELU = "arXiv:2109.08668"
_SWIGLU = "arXiv:2002.05202"

OPERATORS = [
    dougong.Operator(
        name="dougong/gelu-torch",
        contract="activation.gelu@1",
        target="dougong_plugins.activation.gelu:gelu_torch",
        reference="dougong_plugins.activation.gelu:gelu",
        summary="GELU, by erf or tanh, by torch's own kernel.",
        dtypes=_WIDE,
        gradients="second",
        paper=_GELU,
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/silu-torch",
        contract="activation.silu@1",
        target="dougong_plugins.activation.silu:silu_torch",
        reference="dougong_plugins.activation.silu:silu",
        summary="SiLU (Swish) by torch's own kernel.",
        dtypes=_WIDE,
        gradients="second",
        paper=_SILU,
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/squared-relu-torch",
        contract="activation.squared_relu@1",
        target="dougong_plugins.activation.squared_relu:squared_relu_torch",
        reference="dougong_plugins.activation.squared_relu:squared_relu",
        summary="Squared ReLU by two torch calls.",
        dtypes=_WIDE,
        gradients="second",
        paper=_SQUARED_RELU,
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/swiglu-torch",
        contract="activation.swiglu@1",
        target="dougong_plugins.activation.swiglu:swiglu_torch",
        reference="dougong_plugins.activation.swiglu:swiglu",
        summary="SwiGLU gate by torch's SiLU and a product.",
        dtypes=_WIDE,
        gradients="second",
        paper=_SWIGLU,
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/gelu-triton",
        contract="activation.gelu@1",
        target="dougong_plugins.triton.pointwise:gelu",
        reference="dougong_plugins.activation.gelu:gelu",
        summary="GELU, by erf or tanh, in Triton, one read and one write.",
        devices=("cuda",),
        dtypes=("float32", "bfloat16", "float16"),
        gradients="first",
        requires=("triton>=3.2",),
        needs=("cuda>=8.0",),
        paper=_GELU,
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/silu-triton",
        contract="activation.silu@1",
        target="dougong_plugins.triton.pointwise:silu",
        reference="dougong_plugins.activation.silu:silu",
        summary="SiLU in Triton, one read and one write.",
        devices=("cuda",),
        dtypes=("float32", "bfloat16", "float16"),
        gradients="first",
        requires=("triton>=3.2",),
        needs=("cuda>=8.0",),
        paper=_SILU,
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/squared-relu-triton",
        contract="activation.squared_relu@1",
        target="dougong_plugins.triton.pointwise:squared_relu",
        reference="dougong_plugins.activation.squared_relu:squared_relu",
        summary="Squared ReLU in Triton, one read and one write.",
        devices=("cuda",),
        dtypes=("float32", "bfloat16", "float16"),
        gradients="first",
        requires=("triton>=3.2",),
        needs=("cuda>=8.0",),
        paper=_SQUARED_RELU,
        license=_LICENSE,
    ),
    dougong.Operator(
        name="dougong/swiglu-triton",
        contract="activation.swiglu@1",
        target="dougong_plugins.triton.pointwise:swiglu",
        reference="dougong_plugins.activation.swiglu:swiglu",
        summary="SwiGLU in Triton, one read and one write.",
        devices=("cuda",),
        dtypes=("float32", "bfloat16", "float16"),
        gradients="first",
        requires=("triton>=3.2",),
        needs=("cuda>=8.0",),
        paper=_SWIGLU,
        license=_LICENSE,
    ),
]


@dougong.hookimpl
def dougong_register_activation() -> list[dougong.Operator]:
    """Return the first-party activations."""
    return OPERATORS
