"""Lion of lion-pytorch.

Metadata only: nothing here imports torch, or lion-pytorch.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    """Register the optimizer operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/lion-pytorch",
            contract="optimizer.step@1",
            target="contrib_lion_pytorch.lion:lion",
            summary="Lion by lion-pytorch: sign of an interpolated momentum.",
            variant="lion",
            modes=("train",),
            compiles="none",
            requires=("lion-pytorch>=0.2.5,<0.3",),
            paper="arXiv:2302.06675",
            license="Apache-2.0",
            upstream="https://github.com/lucidrains/lion-pytorch",
        ),
    ]
