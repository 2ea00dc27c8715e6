"""Mistakes in the gated delta rule, each one step of the recurrence done otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from dougong.contracts.definition import Contract
from dougong_ci.lint.families.targets import mutant
from dougong_ci.lint.mutants import Mutant

Step = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
"""(state, key as a column, value as a row, decay, strength) -> the next state."""


def mutants(contract: Contract, variant: str) -> Iterator[Mutant]:
    """Make the mutants of the rule."""
    steps: list[tuple[str, str, Step]] = [
        ("without-gate", "never forgets", lambda S, k, v, a, b: S + k @ (b * (v - k.mT @ S))),
        (
            "gate-after-writing",
            "decays what it has just written too",
            lambda S, k, v, a, b: a * (S + k @ (b * (v - k.mT @ S))),
        ),
        (
            "erases-before-decay",
            "erases what was there before the decay",
            lambda S, k, v, a, b: a * S + k @ (b * (v - k.mT @ S)),
        ),
        ("without-erasing", "adds to what is there", lambda S, k, v, a, b: a * S + k @ (b * v)),
        (
            "without-beta",
            "writes with full strength",
            lambda S, k, v, a, b: a * S + k @ (v - k.mT @ (a * S)),
        ),
        (
            "beta-on-values-only",
            "erases with full strength",
            lambda S, k, v, a, b: a * S + k @ (b * v - k.mT @ (a * S)),
        ),
    ]
    for name, summary, step in steps:
        yield mutant(name, summary, _recurrence(step))
    right = _recurrence(lambda S, k, v, a, b: a * S + k @ (b * (v - k.mT @ (a * S))))
    yield mutant("reads-before-writing", "misses its own token", _late(right))
    yield mutant("default-scale", "ignores its scale", _unscaled(right))
    yield mutant("forgets-at-64", "starts anew every 64 tokens", _restarted(right))


def _recurrence(step: Step) -> Any:
    def target(
        q: Tensor, k: Tensor, v: Tensor, log_gate: Tensor, beta: Tensor, *, scale: float | None
    ) -> Tensor:
        state = q.new_zeros(*q.shape[:2], q.shape[-1], v.shape[-1])
        found = []
        for t in range(q.shape[2]):
            decay, strength = log_gate[:, :, t, None, None].exp(), beta[:, :, t, None, None]
            state = step(state, k[:, :, t, :, None], v[:, :, t, None], decay, strength)
            found.append(q[:, :, t, None] @ state)
        factor = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
        return factor * torch.cat(found, dim=2) if found else torch.zeros_like(v)

    return target


def _late(right: Any) -> Any:
    def target(q: Tensor, *rest: Tensor, scale: float | None) -> Tensor:
        ahead = torch.cat((q[:, :, 1:], q[:, :, :1]), dim=2)
        out = right(ahead, *rest, scale=scale)
        return torch.cat((torch.zeros_like(out[:, :, :1]), out[:, :, :-1]), dim=2)

    return target


def _unscaled(right: Any) -> Any:
    return lambda *tensors, scale: right(*tensors, scale=None)


def _restarted(right: Any) -> Any:
    def target(*tensors: Tensor, scale: float | None) -> Tensor:
        parts = zip(*(torch.split(x, 64, dim=2) for x in tensors), strict=True)
        return torch.cat([right(*part, scale=scale) for part in parts], dim=2)

    return target
