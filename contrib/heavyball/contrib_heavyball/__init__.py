"""Optimizers of heavyball, by what they train.

Metadata only: nothing here imports torch, or heavyball. The algorithms are in `table`.
"""

from __future__ import annotations

import dougong
from contrib_heavyball.table import FEATURES, ROWS, Row


def _operator(row: Row) -> dougong.Operator:
    kept = tuple(feature for feature in FEATURES if feature not in row.lacks)
    return dougong.Operator(
        name=f"contrib/heavyball-{row.algorithm}",
        contract="optimizer.train@1",
        variant=row.algorithm,
        target=f"contrib_heavyball.made:{row.name}",
        summary=f"{row.upstream} of heavyball, lr {row.lr:g}.",
        modes=("train",),
        compiles="none",
        # No feature listed means every one.
        features=kept if row.lacks else (),
        requires=("heavyball>=3.2,<4",),
        paper=row.paper,
        license="BSD-2-Clause",
        upstream="https://github.com/HomebrewML/HeavyBall",
    )


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    """Register the optimizers of this distribution."""
    return [_operator(row) for row in ROWS]
