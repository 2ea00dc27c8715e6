"""More optimizers of pytorch-optimizer, by what they train.

Metadata only: nothing here imports torch, or pytorch-optimizer. The algorithms are in `table`.
"""

from __future__ import annotations

import dougong
from contrib_pytorch_optimizer_more.table import FEATURES, ROWS, Row


def _operator(row: Row) -> dougong.Operator:
    kept = tuple(feature for feature in FEATURES if feature not in row.lacks)
    return dougong.Operator(
        name=f"contrib/pytorch-optimizer-more-{row.algorithm}",
        contract="optimizer.train@1",
        variant=row.algorithm,
        target=f"contrib_pytorch_optimizer_more.made:{row.name}",
        summary=f"{row.upstream} of pytorch-optimizer, lr {row.lr:g}.",
        modes=("train",),
        compiles="none",
        # No feature listed means every one.
        features=kept if row.lacks else (),
        requires=("pytorch-optimizer>=4.1,<5",),
        paper=row.paper,
        license="Apache-2.0",
        upstream="https://github.com/kozistr/pytorch_optimizer",
    )


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    """Register the optimizers of this distribution."""
    return [_operator(row) for row in ROWS]
