"""FlexAttention: exact and windowed attention.

Metadata only: nothing here imports torch.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    """Register the attention operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/flex-attention",
            contract="attention.exact@1",
            target="contrib_flex_attention.attend:flex",
            summary="Exact attention by torch's FlexAttention, compiled for each shape.",
            devices=("cpu", "cuda"),
            dtypes=("float32", "bfloat16"),
            modes=("infer",),
            compiles="none",
            requires=("torch>=2.13,<3",),
            needs=("c++-compiler",),
            paper="arXiv:2412.05496",
            license="Apache-2.0",
            upstream="https://github.com/pytorch/pytorch",
        ),
        dougong.Operator(
            name="contrib/flex-window",
            contract="attention.approx@1",
            target="contrib_flex_attention.attend:flex_window",
            summary="Attention to a window of 128 keys and the first four, far blocks skipped.",
            devices=("cpu", "cuda"),
            dtypes=("float32", "bfloat16"),
            features=(
                "mask:none",
                "mask:causal",
                "mask:boolean",
                "mask:additive",
                "gqa",
                "q_len!=k_len",
                "structure:local",
            ),
            modes=("infer",),
            compiles="none",
            requires=("torch>=2.13,<3",),
            needs=("c++-compiler",),
            paper="arXiv:2412.05496",
            license="Apache-2.0",
            upstream="https://github.com/pytorch/pytorch",
        ),
    ]
