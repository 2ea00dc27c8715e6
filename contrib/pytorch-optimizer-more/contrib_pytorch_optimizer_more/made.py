"""Factories of upstream's optimizers, a row of the table each.

Adapter of pytorch-optimizer (Apache-2.0), versions >=4.1,<5. Differs: a rank goes into every group
of low-rank rules; for those that flatten by `view`, parameters and gradients are contiguous while
they step; wrappers stand around torch's AdamW.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytorch_optimizer
import torch
from torch import Tensor
from torch.optim import Optimizer

from contrib_pytorch_optimizer_more.table import ROWS, Row

_RANK: dict[str, Any] = {
    "rank": 8,
    "update_proj_gap": 50,
    "scale": 1.0,
    "projection_type": "std",
}
"""Upstream reads these from the groups and has no defaults; std is by singular vectors."""


def _factory(row: Row) -> Callable[[Iterable[Any]], Optimizer]:
    def make(params: Iterable[Any]) -> Optimizer:
        kind: Callable[..., Optimizer] = getattr(pytorch_optimizer, row.upstream)
        if row.kind == "around":
            return kind(torch.optim.AdamW(params, lr=row.lr), **row.settings)
        groups = _ranked(params) if row.kind == "rank" else params
        optimizer = kind(groups, lr=row.lr, **row.settings)
        if row.kind == "contiguous":
            _step_contiguous(optimizer)
        return optimizer

    make.__name__ = make.__qualname__ = row.name
    make.__doc__ = f"Make upstream's {row.upstream} at a rate of {row.lr:g}."
    return make


_ROWS = {row.name: row for row in ROWS}


def __getattr__(name: str) -> Callable[[Iterable[Any]], Optimizer]:
    """Return the factory of an algorithm, `adamp` say."""
    if name not in _ROWS:
        raise AttributeError(f"{__name__} makes {', '.join(_ROWS)}, got {name!r}")
    return _factory(_ROWS[name])


def _ranked(params: Iterable[Any]) -> list[Any]:
    """Put what a low-rank rule asks of a group into each; upstream leaves vectors alone."""
    given = list(params)
    groups = given if isinstance(given[0], dict) else [{"params": given}]
    return [{**group, **_RANK} for group in groups]


def _step_contiguous(optimizer: Optimizer) -> None:
    """Have an optimizer step on contiguous memory and write back to where parameters lie.

    Its state is made like the parameters it sees, and so is contiguous too.
    """
    homes: list[tuple[Tensor, Tensor]] = []

    def before(stepping: Optimizer, *_: Any) -> None:
        for group in stepping.param_groups:
            for p in group["params"]:
                if not p.is_contiguous():
                    homes.append((p, p.data))
                    p.data = p.data.contiguous()
                if p.grad is not None:
                    p.grad = p.grad.contiguous()

    def after(*_: Any) -> None:
        while homes:
            p, home = homes.pop()
            home.copy_(p.data)
            p.data = home

    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(after)
