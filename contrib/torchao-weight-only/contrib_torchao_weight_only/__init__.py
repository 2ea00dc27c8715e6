"""8-bit weights by torchao.

Metadata only: nothing here imports torch, or torchao.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_transform() -> list[dougong.Operator]:
    """Register the transform operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/torchao-int8-weight-only",
            contract="transform.quantize@1",
            target="contrib_torchao_weight_only.int8:int8",
            summary="Weights in 8 bits by torchao's Int8WeightOnlyConfig.",
            modes=("infer",),
            compiles="none",
            requires=("torchao>=0.18,<0.19",),
            paper="arXiv:1712.05877",
            license="Apache-2.0",
            upstream="https://github.com/pytorch/ao",
        ),
    ]
