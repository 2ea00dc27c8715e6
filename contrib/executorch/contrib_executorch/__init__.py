"""ExecuTorch as an inference backend.

Metadata only: nothing here imports torch, or executorch.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_backend() -> list[dougong.Operator]:
    """Register the backend operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/executorch",
            contract="backend.inference@2",
            target="contrib_executorch.program:prepare",
            summary="A model lowered to an ExecuTorch program and run by XNNPACK on the CPU.",
            modes=("infer",),
            compiles="none",
            requires=("executorch>=1.5,<2",),
            paper="https://docs.pytorch.org/executorch",
            license="Apache-2.0",
            upstream="https://github.com/pytorch/executorch",
        ),
    ]
