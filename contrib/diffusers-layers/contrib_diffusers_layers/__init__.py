"""Norms and SiLU of diffusers.

Metadata only: nothing here imports torch, or diffusers.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_activation() -> list[dougong.Operator]:
    """Register the activation operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/diffusers-fp32-silu",
            contract="activation.silu@1",
            target="contrib_diffusers_layers.layers:silu",
            summary="FP32SiLU of diffusers: computed in float32 whatever the dtype.",
            dtypes=("float32", "bfloat16"),
            gradients="first",
            requires=("diffusers>=0.42,<0.43",),
            paper="arXiv:1702.03118",
            license="Apache-2.0",
            upstream="https://github.com/huggingface/diffusers",
        ),
    ]


@dougong.hookimpl
def dougong_register_norm() -> list[dougong.Operator]:
    """Register the norm operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/diffusers-rms",
            contract="norm.rms@1",
            target="contrib_diffusers_layers.layers:rms_norm",
            summary="RMSNorm of diffusers.",
            gradients="first",
            compiles="breaks",
            requires=("diffusers>=0.42,<0.43",),
            paper="arXiv:1910.07467",
            license="Apache-2.0",
            upstream="https://github.com/huggingface/diffusers",
        ),
        dougong.Operator(
            name="contrib/diffusers-fp32-layer",
            contract="norm.layer@1",
            target="contrib_diffusers_layers.layers:layer_norm",
            summary="FP32LayerNorm of diffusers.",
            gradients="first",
            compiles="breaks",
            requires=("diffusers>=0.42,<0.43",),
            paper="arXiv:1607.06450",
            license="Apache-2.0",
            upstream="https://github.com/huggingface/diffusers",
        ),
    ]
