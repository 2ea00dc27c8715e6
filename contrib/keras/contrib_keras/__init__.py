"""Norms and activations of keras.ops.

Metadata only: nothing here imports torch, or keras.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_activation() -> list[dougong.Operator]:
    """Register the activation operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/keras-gelu",
            contract="activation.gelu@1",
            target="contrib_keras.functions:gelu",
            summary="keras.ops.gelu on torch.",
            dtypes=("float32", "bfloat16"),
            gradients="first",
            compiles="breaks",
            requires=("keras>=3.15,<4",),
            paper="arXiv:1606.08415",
            license="Apache-2.0",
            upstream="https://github.com/keras-team/keras",
        ),
        dougong.Operator(
            name="contrib/keras-silu",
            contract="activation.silu@1",
            target="contrib_keras.functions:silu",
            summary="keras.ops.silu on torch.",
            dtypes=("float32", "bfloat16"),
            gradients="first",
            compiles="breaks",
            requires=("keras>=3.15,<4",),
            paper="arXiv:1702.03118",
            license="Apache-2.0",
            upstream="https://github.com/keras-team/keras",
        ),
    ]


@dougong.hookimpl
def dougong_register_norm() -> list[dougong.Operator]:
    """Register the norm operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/keras-rms",
            contract="norm.rms@1",
            target="contrib_keras.functions:rms_norm",
            summary="keras.ops.rms_normalization on torch.",
            dtypes=("float32", "bfloat16"),
            gradients="first",
            compiles="breaks",
            requires=("keras>=3.15,<4",),
            paper="arXiv:1910.07467",
            license="Apache-2.0",
            upstream="https://github.com/keras-team/keras",
        ),
        dougong.Operator(
            name="contrib/keras-layer",
            contract="norm.layer@1",
            target="contrib_keras.functions:layer_norm",
            summary="keras.ops.layer_normalization on torch.",
            gradients="first",
            compiles="breaks",
            requires=("keras>=3.15,<4",),
            paper="arXiv:1607.06450",
            license="Apache-2.0",
            upstream="https://github.com/keras-team/keras",
        ),
    ]
