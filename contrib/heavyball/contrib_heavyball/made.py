"""Factories of upstream's optimizers, a row of the table each.

Adapter of heavyball (BSD-2-Clause), versions >=3.2,<4. Differs: torch.compile is off, which
upstream turns on for every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import heavyball
import heavyball.utils
from torch.optim import Optimizer

from contrib_heavyball.table import ROWS, Row

heavyball.utils.compile_mode = None


def _factory(row: Row) -> Callable[[Iterable[Any]], Optimizer]:
    def make(params: Iterable[Any]) -> Optimizer:
        kind: Callable[..., Optimizer] = getattr(heavyball, row.upstream)
        return kind(params, lr=row.lr, **row.settings)

    make.__name__ = make.__qualname__ = row.name
    make.__doc__ = f"Make upstream's {row.upstream} at a rate of {row.lr:g}."
    return make


_ROWS = {row.name: row for row in ROWS}


def __getattr__(name: str) -> Callable[[Iterable[Any]], Optimizer]:
    """Return the factory of an algorithm, `hyperball_adamw` say."""
    if name not in _ROWS:
        raise AttributeError(f"{__name__} makes {', '.join(_ROWS)}, got {name!r}")
    return _factory(_ROWS[name])
