"""Mutants that compute rightly and differentiate wrongly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from dougong.contracts.definition import Bound, Case, Contract
from dougong_ci.lint.inprocess import Bind
from dougong_ci.lint.mutants import Mutant, right

Tensors = Mapping[str, Tensor | None]
_NAMES = (
    "zeros",
    "downcast-bfloat16",
    "downcast-float16",
    "tf32",
    "eps-x10",
    "eps-left-out",
)
"""Mutants whose derivative is a mistake of its own, with the right output."""


def gradient_mutants(contract: Contract, forward: list[Mutant]) -> Iterator[Mutant]:
    """Make the mutants of the gradient of a contract.

    Args:
        contract: Any; without a gradient there is nothing to get wrong, and nothing is made.
        forward: Its other mutants, some of which are differentiated.
    """
    if contract.gradient == "none":
        return
    names = contract.generate(contract.workloads[0], 1, torch.float32).differentiable
    for name in names:
        yield Mutant(
            name=f"gradient-detached-{name}",
            summary=f"gives {name} no gradient",
            bind=_scaled(name, 0.0),
        )
        yield Mutant(
            name=f"gradient-off-{name}",
            summary=f"gives {name} a gradient one part in 200 too large",
            bind=_scaled(name, 1.005),
        )
        yield Mutant(
            name=f"gradient-short-{name}",
            summary=f"leaves the last entries of the gradient of {name} zero",
            bind=_tail_lost(name),
        )
    for mutant in forward:
        if mutant.name in _NAMES or mutant.name.startswith("off-by-one"):
            yield Mutant(
                name=f"gradient-of-{mutant.name}",
                summary=f"the gradient of what {mutant.summary}, with the right output",
                bind=_backward_of(mutant.bind),
                dtypes=mutant.dtypes,
                inapplicable=mutant.inapplicable,
            )


class _Swapped(torch.autograd.Function):
    """One bound's outputs, another's gradients."""

    @staticmethod
    def forward(
        context: Any, good: Bound, bad: Bound, names: list[str], rest: Tensors, *leaves: Any
    ) -> Any:
        context.save_for_backward(*leaves)
        context.bad, context.names, context.rest = bad, names, rest
        return good({**rest, **dict(zip(names, leaves, strict=True))})

    @staticmethod
    def backward(context: Any, *flowing: Tensor) -> Any:
        with torch.enable_grad():
            leaves = [leaf.detach().requires_grad_() for leaf in context.saved_tensors]
            named = dict(zip(context.names, leaves, strict=True))
            outputs = context.bad({**context.rest, **named})
            if not any(y.requires_grad for y in outputs):
                return (None,) * 4 + tuple(torch.zeros_like(leaf) for leaf in leaves)
            found = torch.autograd.grad(outputs, leaves, flowing, allow_unused=True)
        return (None,) * 4 + found


def _backward_of(wrong: Bind) -> Bind:
    def bind(contract: Contract, case: Case) -> Bound:
        good, bad = right(contract, case), wrong(contract, case)

        def call(tensors: Tensors) -> tuple[Tensor, ...]:
            leaves = {n: t for n, t in tensors.items() if t is not None and t.requires_grad}
            rest = {n: t for n, t in tensors.items() if n not in leaves}
            return tuple(_Swapped.apply(good, bad, list(leaves), rest, *leaves.values()))  # type: ignore[no-untyped-call] # torch's own

        return call

    return bind


def _scaled(name: str, factor: float) -> Bind:
    return _changed(name, lambda gradient: gradient * factor)


def _tail_lost(name: str) -> Bind:
    def change(gradient: Tensor) -> Tensor:
        if not gradient.numel():
            return gradient
        flat = gradient.flatten().clone()
        flat[-max(1, len(flat) // 20) :] = 0
        return flat.reshape(gradient.shape)

    return _changed(name, change)


def _changed(name: str, change: Any) -> Bind:
    def bind(contract: Contract, case: Case) -> Bound:
        bound = right(contract, case)

        def call(tensors: Tensors) -> tuple[Tensor, ...]:
            value = tensors[name]
            if value is None or not value.requires_grad:
                return bound(tensors)
            through = value.view_as(value)
            through.register_hook(change)  # type: ignore[no-untyped-call] # torch's own
            return bound({**tensors, name: through})

        return call

    return bind
