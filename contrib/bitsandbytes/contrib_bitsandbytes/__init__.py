"""32-bit optimizers and 8-bit linear layers of bitsandbytes.

Metadata only: nothing here imports torch, or bitsandbytes.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    """Register the optimizer operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/bitsandbytes-adamw",
            contract="optimizer.step@1",
            target="contrib_bitsandbytes.bits:adamw",
            summary="AdamW by bitsandbytes, 32-bit state.",
            variant="adamw",
            modes=("train",),
            compiles="none",
            requires=("bitsandbytes>=0.50.2,<0.51",),
            paper="arXiv:1711.05101",
            license="Apache-2.0",
            upstream="https://github.com/bitsandbytes-foundation/bitsandbytes",
        ),
        dougong.Operator(
            name="contrib/bitsandbytes-lion",
            contract="optimizer.step@1",
            target="contrib_bitsandbytes.bits:lion",
            summary="Lion by bitsandbytes, 32-bit state.",
            variant="lion",
            modes=("train",),
            compiles="none",
            requires=("bitsandbytes>=0.50.2,<0.51",),
            paper="arXiv:2302.06675",
            license="Apache-2.0",
            upstream="https://github.com/bitsandbytes-foundation/bitsandbytes",
        ),
    ]


@dougong.hookimpl
def dougong_register_transform() -> list[dougong.Operator]:
    """Register the transform operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/bitsandbytes-int8",
            contract="transform.quantize@1",
            target="contrib_bitsandbytes.bits:int8",
            summary="Linear layers by Linear8bitLt: int8 weights, int8 activations.",
            modes=("infer",),
            compiles="none",
            requires=("bitsandbytes>=0.50.2,<0.51",),
            paper="arXiv:2208.07339",
            license="Apache-2.0",
            upstream="https://github.com/bitsandbytes-foundation/bitsandbytes",
        ),
    ]
