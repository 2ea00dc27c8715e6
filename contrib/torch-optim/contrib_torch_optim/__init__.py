"""Optimizers of torch.optim, by what they train.

Metadata only: nothing here imports torch, or torch. The algorithms are in `table`.
"""

from __future__ import annotations

import dougong
from contrib_torch_optim.table import FEATURES, ROWS, Row


def _operator(row: Row) -> dougong.Operator:
    kept = tuple(feature for feature in FEATURES if feature not in row.lacks)
    return dougong.Operator(
        name=f"contrib/torch-optim-{row.algorithm}",
        contract="optimizer.train@1",
        variant=row.algorithm,
        target=f"contrib_torch_optim.made:{row.name}",
        summary=f"{row.upstream} of torch, lr {row.lr:g}.",
        modes=("train",),
        compiles="none",
        # No feature listed means every one.
        features=kept if row.lacks else (),
        requires=("torch>=2.6,<3",),
        paper=row.paper,
        license="BSD-3-Clause",
        upstream="https://github.com/pytorch/pytorch",
    )


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    """Register the optimizers of this distribution."""
    return [_operator(row) for row in ROWS]
