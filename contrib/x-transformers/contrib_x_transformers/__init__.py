"""Norms, squared ReLU and attention of x-transformers.

Metadata only: nothing here imports torch, or x-transformers.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_activation() -> list[dougong.Operator]:
    """Register the activation operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/x-transformers-relu2",
            contract="activation.squared_relu@1",
            target="contrib_x_transformers.parts:squared_relu",
            summary="ReluSquared of x-transformers.",
            dtypes=("float32", "bfloat16"),
            gradients="first",
            requires=("x-transformers>=2.31,<2.32",),
            paper="arXiv:2109.08668",
            license="Apache-2.0",
            upstream="https://github.com/lucidrains/x-transformers",
        ),
    ]


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    """Register the attention operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/x-transformers-attend",
            contract="attention.exact@1",
            target="contrib_x_transformers.parts:attend",
            summary="Attend of x-transformers, its plain path.",
            gradients="first",
            features=("mask:none", "mask:causal", "gqa"),
            requires=("x-transformers>=2.31,<2.32",),
            paper="arXiv:1706.03762",
            license="Apache-2.0",
            upstream="https://github.com/lucidrains/x-transformers",
        ),
    ]


@dougong.hookimpl
def dougong_register_norm() -> list[dougong.Operator]:
    """Register the norm operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/x-transformers-layer",
            contract="norm.layer@1",
            target="contrib_x_transformers.parts:layer_norm",
            summary="LayerNorm of x-transformers, with a bias beside it.",
            gradients="first",
            compiles="breaks",
            requires=("x-transformers>=2.31,<2.32",),
            paper="arXiv:1607.06450",
            license="Apache-2.0",
            upstream="https://github.com/lucidrains/x-transformers",
        ),
        dougong.Operator(
            name="contrib/x-transformers-rms",
            contract="norm.rms@1",
            target="contrib_x_transformers.parts:rms_norm",
            summary="RMSNorm of x-transformers: divides by the norm, without eps.",
            gradients="first",
            compiles="breaks",
            requires=("x-transformers>=2.31,<2.32",),
            paper="arXiv:1910.07467",
            license="Apache-2.0",
            upstream="https://github.com/lucidrains/x-transformers",
        ),
    ]
