"""Lion and Muon of pytorch-optimizer.

Metadata only: nothing here imports torch, or pytorch-optimizer.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    """Register the optimizer operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/pytorch-optimizer-lion",
            contract="optimizer.step@1",
            target="contrib_pytorch_optimizer.steps:lion",
            summary="Lion by pytorch-optimizer.",
            variant="lion",
            modes=("train",),
            compiles="none",
            requires=("pytorch-optimizer>=4.1,<5",),
            paper="arXiv:2302.06675",
            license="Apache-2.0",
            upstream="https://github.com/kozistr/pytorch_optimizer",
        ),
        dougong.Operator(
            name="contrib/pytorch-optimizer-muon",
            contract="optimizer.step@1",
            target="contrib_pytorch_optimizer.steps:muon",
            summary="Muon by pytorch-optimizer, for matrices.",
            variant="muon",
            modes=("train",),
            compiles="none",
            requires=("pytorch-optimizer>=4.1,<5",),
            paper="https://kellerjordan.github.io/posts/muon/",
            license="Apache-2.0",
            upstream="https://github.com/kozistr/pytorch_optimizer",
        ),
    ]
