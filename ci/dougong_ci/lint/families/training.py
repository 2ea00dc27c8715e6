"""Mistakes in optimizers of any rule: right rules kept or called wrongly, and no rule at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from dougong.contracts.definition import Contract
from dougong.contracts.optimizer.rules import RULES, Rule, State
from dougong.contracts.optimizer.step import Formula
from dougong_ci.lint.families import optimizer as steps
from dougong_ci.lint.families.targets import mutant
from dougong_ci.lint.mutants import Mutant

_RATE = 1e-2


def mutants(contract: Contract, variant: str = "") -> Iterator[Mutant]:
    """Make the mutants of `optimizer.train@1`, most of them from Adam."""
    adam = RULES["adamw"]
    for name, summary, kind in steps.KEPT_WRONGLY:
        yield mutant(name, summary, _factory(kind, adam))
    for name, summary, rule in (
        ("ascends", "walks uphill", _uphill),
        ("direction-fixed", "walks the same way whatever the gradient", _fixed),
        ("drifts", "moves under zero gradients", _drifting),
        ("explodes", "multiplies the parameters", _exploding),
        ("vanishes", "shrinks the parameters to nothing", _vanishing),
    ):
        yield mutant(name, summary, _factory(Formula, rule))
    yield mutant("order-matters", "gives later parameters less", _factory(_Tiring, adam))


def _factory(kind: type[Formula], rule: Rule) -> Callable[..., Optimizer]:
    settings: dict[str, Any] = {
        "lr": _RATE,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0.0,
    }

    def make(params: Iterable[Tensor]) -> Optimizer:
        return kind(params, rule, **settings)

    return make


class _Tiring(Formula):
    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override] # as in Formula
        """Take a smaller step the later a parameter comes."""
        for group in self.param_groups:
            settings = {k: v for k, v in group.items() if k in self.defaults}
            for i, p in enumerate(group["params"]):
                if p.grad is not None:
                    rate = {"lr": settings["lr"] / (1 + i)}
                    p.copy_(self.rule(p, p.grad, self.state[p], **{**settings, **rate}))


def _uphill(p: Tensor, g: Tensor, state: State, **rest: Any) -> Tensor:
    return RULES["adamw"](p, -g, state, **rest)


def _fixed(p: Tensor, g: Tensor, state: State, *, lr: float, **rest: Any) -> Tensor:
    source = torch.Generator().manual_seed(p.numel())
    return p + lr * torch.randn(p.shape, generator=source).to(p.dtype)


def _drifting(p: Tensor, g: Tensor, state: State, *, lr: float, **rest: Any) -> Tensor:
    return RULES["adamw"](p, g + 1e-3, state, lr=lr, **rest)


def _exploding(p: Tensor, g: Tensor, state: State, *, lr: float, **rest: Any) -> Tensor:
    return RULES["adamw"](2 * p, g, state, lr=lr, **rest)


def _vanishing(p: Tensor, g: Tensor, state: State, *, lr: float, **rest: Any) -> Tensor:
    return RULES["adamw"](0.1 * p, g, state, lr=lr, **rest)
