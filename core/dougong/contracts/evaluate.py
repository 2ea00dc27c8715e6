"""Run the trusted side of a contract: the golden, the native outputs, and gradients.

The judge and `plan.apply(check="quick")` do the same with the untrusted side through
`contract.bind` and hand both to `dougong.contracts.accuracy.compare`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dougong.contracts.definition import Bound, Case, Contract
from dougong.contracts.sampling import generator
from dougong.operator import resolve


def upcast(case: Case) -> Case:
    """Return the case with every floating-point tensor in float64; the values are exactly kept."""
    return dataclasses.replace(
        case,
        tensors={name: _double(value) for name, value in case.tensors.items()},
        setup={
            name: value.double() if value.is_floating_point() else value
            for name, value in case.setup.items()
        },
    )


def golden(contract: Contract, case: Case) -> tuple[Tensor, ...]:
    """Return the reference's outputs in float64 on the exact values of the case."""
    exact = upcast(case)
    with torch.no_grad():
        return contract.bind(contract.reference, exact)(exact.tensors)


def natives(contract: Contract, case: Case) -> list[tuple[Tensor, ...]]:
    """Return the outputs of every baseline in the working dtype; the first is the main one.

    `compare` takes the worst of them as the native error, so that an implementation that is exact
    by luck on some input does not make the bar zero.
    """
    with torch.no_grad():
        return [
            contract.bind(resolve(target), case)(case.tensors)
            for target in contract.baselines.values()
        ]


def cotangents(outputs: Sequence[Tensor], seed: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Draw the gradient that flows into each output: standard normal, rounded to `dtype`."""
    return tuple(
        torch.randn(
            output.shape, generator=generator(seed, "cotangent", str(i)), dtype=torch.float64
        ).to(dtype)
        for i, output in enumerate(outputs)
    )


def gradients(bound: Bound, case: Case, flowing: Sequence[Tensor]) -> dict[str, Tensor]:
    """Run `bound` with autograd and return the gradient of each differentiable tensor present.

    A tensor that the output does not depend on gets zeros.

    Args:
        bound: From `contract.bind`.
        case: Gives the call tensors; they are copied as autograd leaves with the same strides.
        flowing: From `cotangents`; cast to each output's dtype.
    """
    leaves = {
        name: value.detach().requires_grad_()
        for name in case.differentiable
        if (value := case.tensors.get(name)) is not None
    }
    outputs = bound({**case.tensors, **leaves})
    found: tuple[Tensor | None, ...] = torch.autograd.grad(
        outputs,
        tuple(leaves.values()),
        grad_outputs=tuple(g.to(o.dtype) for g, o in zip(flowing, outputs, strict=True)),
        allow_unused=True,
    )
    return {
        name: torch.zeros_like(leaf) if gradient is None else gradient
        for (name, leaf), gradient in zip(leaves.items(), found, strict=True)
    }


def golden_gradients(
    contract: Contract, case: Case, flowing: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Return the reference's gradients in float64 on the exact values of the case."""
    exact = upcast(case)
    return gradients(contract.bind(contract.reference, exact), exact, flowing)


def native_gradients(
    contract: Contract, case: Case, flowing: Sequence[Tensor]
) -> list[Mapping[str, Tensor]]:
    """Return the gradients of every baseline in the working dtype."""
    return [
        gradients(contract.bind(resolve(target), case), case, flowing)
        for target in contract.baselines.values()
    ]


def _double(value: Tensor | None) -> Tensor | None:
    return value.double() if value is not None and value.is_floating_point() else value
