"""AdamW of torchopt.

Metadata only: nothing here imports torch, or torchopt.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    """Register the optimizer operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/torchopt-adamw",
            contract="optimizer.step@1",
            target="contrib_torchopt.adamw:adamw",
            summary="AdamW by TorchOpt, a chain of gradient transformations.",
            variant="adamw",
            modes=("train",),
            compiles="none",
            requires=("torchopt>=0.7.3,<0.8",),
            paper="arXiv:1711.05101",
            license="Apache-2.0",
            upstream="https://github.com/metaopt/torchopt",
        ),
    ]
