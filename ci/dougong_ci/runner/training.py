"""What `optimizer.step@1` cannot ask in one call: groups, schedules, missing gradients, training.

The contract's own `bind` sets given gradients step by step. Here the same target runs more of an
optimizer's interface, in the runner like any other call, and the judge runs the contract's
reference and baselines through the same code for what must come out.

A case is the contract's, with further statics:

- `groups`: lists of parameter indices, each a parameter group; the second and later ones have
  `lr * group_factor`.
- `factors`: what `lr` is multiplied by at each step, set in `param_groups` as a scheduler does.
- `absent`: `[step, index]` pairs; that parameter's `.grad` is None in that step.
- `objective`: `quadratic` or `mlp`; gradients come from the parameters as they are, and the output
  is the loss at `checkpoints` steps evenly spread, instead of the parameters.
- `measure`: `state`; the output is the bytes of optimizer state for each byte of parameters, summed
  up in the runner, so that it is reported and never judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from dougong.contracts.definition import Bound, Case
from dougong.contracts.optimizer.step import ByVariant

Tensors = Mapping[str, Tensor | None]


def bind(target: Any, case: Case) -> Bound:
    """Return the call that makes an optimizer and trains by the statics of the case."""
    static = case.static
    hyperparameters = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in static["hyperparameters"].items()
    }
    if isinstance(target, ByVariant):
        hyperparameters["variant"] = static["variant"]

    def call(tensors: Tensors) -> tuple[Tensor, ...]:
        params = [p.detach().clone().requires_grad_() for p in _numbered(tensors, "p")]
        optimizer = target(_groups(params, static), **hyperparameters)
        losses = list(_train(optimizer, params, tensors, static))
        if "objective" in static:
            every = len(losses) // int(static["checkpoints"])
            return (torch.stack(losses[every - 1 :: every]),)
        if static.get("measure") == "state":
            return (_state_share(optimizer, params),)
        return tuple(p.detach() for p in params)

    return call


def _groups(params: list[Tensor], static: Mapping[str, Any]) -> list[Any]:
    if "groups" not in static:
        return list(params)
    lr = float(static["hyperparameters"]["lr"])
    groups: list[dict[str, Any]] = [
        {"params": [params[i] for i in indices], "lr": lr * float(static["group_factor"])}
        for indices in static["groups"]
    ]
    groups[0]["lr"] = lr
    return groups


def _train(
    optimizer: Optimizer, params: list[Tensor], tensors: Tensors, static: Mapping[str, Any]
) -> Iterator[Tensor]:
    objective = static.get("objective", "")
    factors = static.get("factors")
    absent = {tuple(pair) for pair in static.get("absent", ())}
    rates = [group["lr"] for group in optimizer.param_groups]
    for step in range(int(static["steps"])):
        if factors:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factors[step]
        if objective:
            optimizer.zero_grad(set_to_none=True)
            with torch.enable_grad():
                loss = OBJECTIVES[objective](params, tensors)
                loss.backward()  # type: ignore[no-untyped-call] # torch's own
            yield loss.detach()
        else:
            for i, p in enumerate(params):
                given = None if (step, i) in absent else _given(tensors, f"g{step}_{i}")
                p.grad = None if given is None else given.detach().clone()
        optimizer.step()


def _quadratic(params: list[Tensor], tensors: Tensors) -> Tensor:
    """Half the squared distance to the targets t, weighed by the curvatures a."""
    curved = zip(params, _numbered(tensors, "a"), _numbered(tensors, "t"), strict=True)
    return torch.stack([(a * (p - t).square()).sum() for p, a, t in curved]).sum() / 2


def _mlp(params: list[Tensor], tensors: Tensors) -> Tensor:
    """Mean squared error of a two-layer network without biases."""
    first, second = params
    hidden = torch.tanh(_given(tensors, "x") @ first.mT)
    return (hidden @ second.mT - _given(tensors, "y")).square().mean()


OBJECTIVES: dict[str, Callable[[list[Tensor], Tensors], Tensor]] = {
    "quadratic": _quadratic,
    "mlp": _mlp,
}


def _state_share(optimizer: Optimizer, params: list[Tensor]) -> Tensor:
    kept = sum(
        value.nbytes
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, Tensor)
    )
    return torch.tensor(kept / sum(p.nbytes for p in params), dtype=params[0].dtype)


def _numbered(tensors: Tensors, prefix: str) -> list[Tensor]:
    count = sum(name.startswith(prefix) and name[1:].isdigit() for name in tensors)
    return [_given(tensors, f"{prefix}{i}") for i in range(count)]


def _given(tensors: Tensors, name: str) -> Tensor:
    value = tensors[name]
    if value is None:
        raise KeyError(f"the case has no tensor {name!r}")
    return value
