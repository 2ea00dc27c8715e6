"""Factories of upstream's optimizers, a row of the table each.

Adapter of adam-atan2-pytorch (MIT), versions >=0.4,<0.5. Differs: nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import adam_atan2_pytorch
from torch.optim import Optimizer

from contrib_adam_atan2.table import ROWS, Row


def _factory(row: Row) -> Callable[[Iterable[Any]], Optimizer]:
    def make(params: Iterable[Any]) -> Optimizer:
        kind: Callable[..., Optimizer] = getattr(adam_atan2_pytorch, row.upstream)
        return kind(params, lr=row.lr, **row.settings)

    make.__name__ = make.__qualname__ = row.name
    make.__doc__ = f"Make upstream's {row.upstream} at a rate of {row.lr:g}."
    return make


_ROWS = {row.name: row for row in ROWS}


def __getattr__(name: str) -> Callable[[Iterable[Any]], Optimizer]:
    """Return the factory of an algorithm, `adam_atan2` say."""
    if name not in _ROWS:
        raise AttributeError(f"{__name__} makes {', '.join(_ROWS)}, got {name!r}")
    return _factory(_ROWS[name])
