"""Optimizers of adam-atan2-pytorch, by what they train.

Metadata only: nothing here imports torch, or adam-atan2-pytorch. The algorithms are in `table`.
"""

from __future__ import annotations

import dougong
from contrib_adam_atan2.table import FEATURES, ROWS, Row


def _operator(row: Row) -> dougong.Operator:
    kept = tuple(feature for feature in FEATURES if feature not in row.lacks)
    return dougong.Operator(
        name=f"contrib/adam-atan2-{row.algorithm}",
        contract="optimizer.train@1",
        variant=row.algorithm,
        target=f"contrib_adam_atan2.made:{row.name}",
        summary=f"{row.upstream} of adam-atan2-pytorch, lr {row.lr:g}.",
        modes=("train",),
        compiles="none",
        # No feature listed means every one.
        features=kept if row.lacks else (),
        requires=("adam-atan2-pytorch>=0.4,<0.5",),
        paper=row.paper,
        license="MIT",
        upstream="https://github.com/lucidrains/adam-atan2-pytorch",
    )


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    """Register the optimizers of this distribution."""
    return [_operator(row) for row in ROWS]
