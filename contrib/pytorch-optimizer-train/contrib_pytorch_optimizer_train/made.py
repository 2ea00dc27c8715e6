"""Factories of upstream's optimizers, a row of the table each.

Adapter of pytorch-optimizer (Apache-2.0), versions >=4.1,<5. Differs: matrices and vectors are
put in groups of their own where upstream wants them so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytorch_optimizer
from torch.optim import Optimizer

from contrib_pytorch_optimizer_train.table import ROWS, Row


def _factory(row: Row) -> Callable[[Iterable[Any]], Optimizer]:
    def make(params: Iterable[Any]) -> Optimizer:
        kind: Callable[..., Optimizer] = getattr(pytorch_optimizer, row.upstream)
        return kind(_groups(params, row.kind), lr=row.lr, **row.settings)

    make.__name__ = make.__qualname__ = row.name
    make.__doc__ = f"Make upstream's {row.upstream} at a rate of {row.lr:g}."
    return make


_ROWS = {row.name: row for row in ROWS}


def __getattr__(name: str) -> Callable[[Iterable[Any]], Optimizer]:
    """Return the factory of an algorithm, `accsgd` say."""
    if name not in _ROWS:
        raise AttributeError(f"{__name__} makes {', '.join(_ROWS)}, got {name!r}")
    return _factory(_ROWS[name])


def _groups(params: Iterable[Any], kind: str) -> list[Any]:
    """Split groups where upstream wants matrices apart: those of a low rank, those for Muon."""
    given = list(params)
    if not kind:
        return given
    groups = given if isinstance(given[0], dict) else [{"params": given}]
    found = []
    for group in groups:
        matrices = [p for p in group["params"] if p.ndim > 1]
        vectors = [p for p in group["params"] if p.ndim < 2]
        for part, settings in ((matrices, _MATRICES[kind]), (vectors, _VECTORS[kind])):
            if part:
                found.append({**group, "params": part, **settings})
    return found


_MATRICES: dict[str, dict[str, Any]] = {"muon": {"use_muon": True}, "rank": {"rank": 8}}
_VECTORS: dict[str, dict[str, Any]] = {"muon": {"use_muon": False}, "rank": {}}
