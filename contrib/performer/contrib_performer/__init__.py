"""FAVOR+ attention of performer-pytorch.

Metadata only: nothing here imports torch, or performer-pytorch.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_attention() -> list[dougong.Operator]:
    """Register the attention operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/performer",
            contract="attention.approx@1",
            target="contrib_performer.features:performer_attention",
            summary="Linear attention with random features of the softmax kernel.",
            features=("mask:none", "mask:causal", "gqa"),
            gradients="first",
            compiles="breaks",
            requires=("performer-pytorch>=1.1.4,<2",),
            paper="arXiv:2009.14794",
            license="Apache-2.0",
            upstream="https://github.com/lucidrains/performer-pytorch",
        ),
    ]
