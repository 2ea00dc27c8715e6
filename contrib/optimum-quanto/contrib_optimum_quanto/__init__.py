"""8-bit weights by optimum-quanto.

Metadata only: nothing here imports torch, or optimum-quanto.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_transform() -> list[dougong.Operator]:
    """Register the transform operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/quanto-int8",
            contract="transform.quantize@1",
            target="contrib_optimum_quanto.int8:int8",
            summary="Weights in 8 bits by optimum-quanto.",
            modes=("infer",),
            compiles="none",
            requires=("optimum-quanto>=0.2.7,<0.3",),
            paper="arXiv:1712.05877",
            license="Apache-2.0",
            upstream="https://github.com/huggingface/optimum-quanto",
        ),
    ]
