"""AdamW and Lion of torch-optimi.

Metadata only: nothing here imports torch, or torch-optimi.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    """Register the optimizer operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/optimi-adamw",
            contract="optimizer.step@1",
            target="contrib_torch_optimi.steps:adamw",
            summary="AdamW by torch-optimi.",
            variant="adamw",
            modes=("train",),
            compiles="none",
            requires=("torch-optimi>=0.3.3,<0.4",),
            paper="arXiv:1711.05101",
            license="Apache-2.0",
            upstream="https://github.com/warner-benjamin/optimi",
        ),
        dougong.Operator(
            name="contrib/optimi-lion",
            contract="optimizer.step@1",
            target="contrib_torch_optimi.steps:lion",
            summary="Lion by torch-optimi.",
            variant="lion",
            modes=("train",),
            compiles="none",
            requires=("torch-optimi>=0.3.3,<0.4",),
            paper="arXiv:2302.06675",
            license="Apache-2.0",
            upstream="https://github.com/warner-benjamin/optimi",
        ),
    ]
