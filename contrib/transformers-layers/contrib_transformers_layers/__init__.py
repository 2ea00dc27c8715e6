"""LlamaRMSNorm and activations of transformers.

Metadata only: nothing here imports torch, or transformers.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_activation() -> list[dougong.Operator]:
    """Register the activation operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/transformers-gelu-new",
            contract="activation.gelu@1",
            target="contrib_transformers_layers.layers:gelu",
            summary="gelu_new of transformers: the tanh form, term by term.",
            dtypes=("float32",),
            gradients="first",
            features=("approximate:tanh",),
            requires=("transformers>=5.23,<6",),
            paper="arXiv:1606.08415",
            license="Apache-2.0",
            upstream="https://github.com/huggingface/transformers",
        ),
        dougong.Operator(
            name="contrib/transformers-relu2",
            contract="activation.squared_relu@1",
            target="contrib_transformers_layers.layers:squared_relu",
            summary="relu2 of transformers.",
            dtypes=("float32", "bfloat16"),
            gradients="first",
            requires=("transformers>=5.23,<6",),
            paper="arXiv:2109.08668",
            license="Apache-2.0",
            upstream="https://github.com/huggingface/transformers",
        ),
    ]


@dougong.hookimpl
def dougong_register_norm() -> list[dougong.Operator]:
    """Register the norm operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/transformers-llama-rms",
            contract="norm.rms@1",
            target="contrib_transformers_layers.layers:rms_norm",
            summary="LlamaRMSNorm of transformers.",
            gradients="first",
            compiles="breaks",
            requires=("transformers>=5.23,<6",),
            paper="arXiv:1910.07467",
            license="Apache-2.0",
            upstream="https://github.com/huggingface/transformers",
        ),
    ]
