"""Efficient attention of linear-attention-transformer.

Metadata only: nothing here imports torch, or linear-attention-transformer.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    """Register the attention operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/efficient-attention",
            contract="attention.approx@1",
            target="contrib_linear_attention_transformer.efficient:efficient_attention",
            summary="Linear attention: softmax of queries over features, of keys over positions.",
            features=("mask:none", "gqa"),
            gradients="first",
            requires=("linear-attention-transformer>=0.19.1,<0.20",),
            paper="arXiv:1812.01243",
            license="Apache-2.0",
            upstream="https://github.com/lucidrains/linear-attention-transformer",
        ),
    ]
