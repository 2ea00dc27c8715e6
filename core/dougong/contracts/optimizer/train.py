"""Any optimizer, whatever its rule: `optimizer.train@1`, judged by what it trains.

The target is a `torch.optim.Optimizer` subclass, or a factory, called with the parameters alone:
`f(params)`. Every hyperparameter is its own default, the learning rate too, so that each operator
has one trial, at the rate its author declares. `params` is a list of tensors, or of groups.

`step` is called without a closure, with gradients in place. An optimizer that has `train()` and
`eval()`, as one that averages its iterates, is switched to the latter before its parameters are
read. torch's generator is seeded before it is made, so that a rule that draws is repeatable.

There is no formula to be held to. Held are laws that do not depend on the rule
(`dougong.contracts.optimizer.train_laws`); a few steps stay within `MAX_RELATIVE_L2` of what plain
momentum makes of them, which only refuses what blows up, vanishes, or is no parameter at all; and
the quality gate trains real tasks (`dougong_ci.quality.learning`). The contract times nothing: time
to target is measured where the target is reached.

Features `resume`, `schedule` and `groups` are three of the laws. An operator that lists features is
held to those it lists, and shows what it lacks.

Not covered: rules that need the loss, a closure or second derivatives, which no gradient contains.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.definition import Bound, Case, Contract
from dougong.contracts.laws import tensor_of
from dougong.contracts.optimizer import train_inputs as inputs
from dougong.contracts.optimizer import train_laws as laws
from dougong.contracts.optimizer.rules import RULES
from dougong.contracts.optimizer.step import Formula

Factory = Callable[[Iterable[Any]], Optimizer]
RATE, MOMENTUM = 0.1, 0.9
MAX_RELATIVE_L2 = 0.75
_SEED = 20261130


def momentum(params: Iterable[Tensor]) -> Optimizer:
    """Make plain gradient descent with momentum, the one that the others are compared with.

    b = 0.9 b + g; p = p - 0.1 b

    Paper: Sutskever et al., 2013, proceedings.mlr.press/v28/sutskever13.html, eq. 1 and 2.

    Args:
        params: Parameters.
    """
    settings = {"lr": RATE, "momentum": MOMENTUM, "weight_decay": 0.0, "nesterov": False}
    return Formula(params, RULES["sgd-momentum"], **settings)


def momentum_torch(params: Iterable[Tensor]) -> Optimizer:
    """Make the same of torch's own.

    Args:
        params: Parameters.
    """
    return torch.optim.SGD(params, lr=RATE, momentum=MOMENTUM)


def bind(target: Any, case: Case) -> Bound:
    """Return the call that makes an optimizer, takes the steps and returns the parameters.

    Statics of a law: `resume_at` replaces the optimizer by a new one that loads its `state_dict`;
    from step `since` on, the last parameter has no gradient (`absent`), and what is returned is how
    far each parameter has moved from there; or the rate is multiplied by `factor` (in the second of
    two groups, or everywhere), and both movements are returned, without and with.
    """
    static = case.static

    def call(tensors: Mapping[str, Tensor | None]) -> tuple[Tensor, ...]:
        given = Case(tensors=tensors, static=static)
        if "factor" not in static:
            return tuple(_trajectory(target, given))
        plain = _trajectory(target, given)
        slow = _trajectory(target, given, float(static["factor"]))
        return tuple(torch.stack(pair) for pair in zip(plain, slow, strict=True))

    return call


def evaluated(optimizer: Any, *, on: bool) -> None:
    """Switch an optimizer between its training and its evaluation parameters, if it has both."""
    switch = getattr(optimizer, "eval" if on else "train", None)
    if callable(switch):
        switch()


def _trajectory(target: Factory, case: Case, factor: float = 1.0) -> list[Tensor]:
    static, since = case.static, case.static.get("since")
    count = sum(name.startswith("p") for name in case.tensors)
    params = [tensor_of(case, f"p{i}").detach().clone().requires_grad_() for i in range(count)]
    middle = count // 2
    given: Any = params
    if static.get("slow") == "groups":
        given = [{"params": params[:middle]}, {"params": params[middle:]}]
    begin = [p.detach().clone() for p in params]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        optimizer = target(given)
        evaluated(optimizer, on=False)
        for step in range(int(static["steps"])):
            if step == static.get("resume_at"):
                optimizer = _resumed(target, given, optimizer)
            if step == since:
                begin = [p.detach().clone() for p in params]
                for group in optimizer.param_groups[-1 if static.get("slow") == "groups" else 0 :]:
                    group["lr"] = group["lr"] * factor
            _give(params, case, step, absent=static.get("absent") if step >= (since or 0) else None)
            optimizer.step()
    if since is None:
        evaluated(optimizer, on=True)
        return [p.detach() for p in params]
    return [p.detach() - b for p, b in zip(params, begin, strict=True)]


def _give(params: list[Tensor], case: Case, step: int, *, absent: int | None) -> None:
    for i, p in enumerate(params):
        p.grad = None if i == absent else tensor_of(case, f"g{step}_{i}").detach().clone()


def _resumed(target: Factory, given: Any, optimizer: Optimizer) -> Optimizer:
    state = copy.deepcopy(optimizer.state_dict())
    fresh = target(given)
    evaluated(fresh, on=False)
    fresh.load_state_dict(state)
    return fresh


CONTRACT = Contract(
    id="optimizer.train@1",
    summary="An optimizer of any rule, judged by laws and by what it trains",
    signature="f(params) -> torch.optim.Optimizer",
    equivalence="approximate",
    paper="https://proceedings.mlr.press/v28/sutskever13.html",
    reference=momentum,
    baselines={"torch": "dougong.contracts.optimizer.train:momentum_torch"},
    generate=inputs.generate,
    workloads=inputs.WORKLOADS,
    hidden=inputs.hidden,
    bind=bind,
    tolerance=Tolerance(max_relative_l2=MAX_RELATIVE_L2),
    gradient="none",
    laws=laws.LAWS,
    cost=inputs.cost,
    dtypes=("float32",),
    features=inputs.FEATURES,
)
