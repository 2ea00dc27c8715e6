"""Factories of upstream's optimizers, a row of the table each.

Adapter of torch (BSD-3-Clause), versions >=2.6,<3. Differs: nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch.optim
from torch.optim import Optimizer

from contrib_torch_optim.table import ROWS, Row


def _factory(row: Row) -> Callable[[Iterable[Any]], Optimizer]:
    def make(params: Iterable[Any]) -> Optimizer:
        kind: Callable[..., Optimizer] = getattr(torch.optim, row.upstream)
        return kind(params, lr=row.lr, **row.settings)

    make.__name__ = make.__qualname__ = row.name
    make.__doc__ = f"Make upstream's {row.upstream} at a rate of {row.lr:g}."
    return make


_ROWS = {row.name: row for row in ROWS}


def __getattr__(name: str) -> Callable[[Iterable[Any]], Optimizer]:
    """Return the factory of an algorithm, `adadelta` say."""
    if name not in _ROWS:
        raise AttributeError(f"{__name__} makes {', '.join(_ROWS)}, got {name!r}")
    return _factory(_ROWS[name])
