"""AOTInductor as an inference backend.

Metadata only: nothing here imports torch.
"""

from __future__ import annotations

import dougong


@dougong.hookimpl
def dougong_register_backend() -> list[dougong.Operator]:
    """Register the backend operators of this distribution."""
    return [
        dougong.Operator(
            name="contrib/aot-inductor",
            contract="backend.inference@2",
            target="contrib_aot_inductor.package:prepare",
            summary="A model exported and compiled ahead of time into a .pt2 package, run from it.",
            modes=("infer",),
            compiles="none",
            requires=("torch>=2.13,<3",),
            needs=("c++-compiler",),
            paper="doi:10.1145/3620665.3640366",
            license="Apache-2.0",
            upstream="https://github.com/pytorch/pytorch",
        ),
    ]
