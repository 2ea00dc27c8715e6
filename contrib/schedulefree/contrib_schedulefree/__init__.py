"""Schedule-Free SGD and RAdam of schedulefree.

Metadata only: nothing here imports torch, or schedulefree. The algorithms are in `table`.
"""

from __future__ import annotations

import dougong
from contrib_schedulefree.table import FEATURES, ROWS, Row


def _operator(row: Row) -> dougong.Operator:
    kept = tuple(feature for feature in FEATURES if feature not in row.lacks)
    return dougong.Operator(
        name=f"contrib/schedulefree-{row.algorithm}",
        contract="optimizer.train@1",
        variant=row.algorithm,
        target=f"contrib_schedulefree.made:{row.name}",
        summary=f"{row.upstream} of schedulefree, lr {row.lr:g}.",
        modes=("train",),
        compiles="none",
        # No feature listed means every one.
        features=kept if row.lacks else (),
        requires=("schedulefree>=1.4,<2",),
        paper=row.paper,
        license="Apache-2.0",
        upstream="https://github.com/facebookresearch/schedule_free",
    )


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    """Register the optimizers of this distribution."""
    return [_operator(row) for row in ROWS]
