"""What the norms after a residual addition share: inputs, binding, laws and cost.

The target is `f(x, residual, ...) -> (y, total)`: `total` is x + residual, which the next block
adds to, and y its norm. One call reads both once, where an addition and a norm write the sum to
memory and read it back.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from dougong.contracts.definition import Bound, Case, Cost, Law, Workload
from dougong.contracts.functional import element_bytes
from dougong.contracts.laws import apart, edited, tensor_of
from dougong.contracts.norm import rows
from dougong.contracts.sampling import draw, generator, lay

Outputs = tuple[Tensor, ...]


def generator_for(affine: tuple[str, ...]) -> Callable[[Workload, int, torch.dtype], Case]:
    """Return the `generate`: as for a norm over the last dimension, with a residual like x."""
    alone = rows.generator_for(affine)

    def generate(workload: Workload, seed: int, dtype: torch.dtype) -> Case:
        case = alone(workload, seed, dtype)
        shape = rows.shape_of(workload)
        source = generator(seed, workload.name, "residual")
        residual = lay(draw(shape, workload.distribution, source, dtype), workload.layout)
        x, *others = case.tensors.items()
        return dataclasses.replace(
            case,
            tensors=dict([x, ("residual", residual), *others]),
            differentiable=("x", "residual", *affine),
        )

    return generate


def binder(*positional: str) -> Callable[[Any, Case], Bound]:
    """Return the `bind`: call tensors by position in this order, statics by keyword."""

    def bind(target: Any, case: Case) -> Bound:
        def call(tensors: Mapping[str, Tensor | None]) -> Outputs:
            made = target(*(tensors[name] for name in positional), **case.static)
            return tuple(made)

        return call

    return bind


def in_float32(function: Callable[..., Outputs]) -> Callable[..., Outputs]:
    """Return `function` computed in float32 and rounded once, for inputs of fewer bits."""

    def computed(x: Tensor, *rest: Tensor | None, eps: float) -> Outputs:
        if torch.finfo(x.dtype).bits >= 32:
            return function(x, *rest, eps=eps)
        wide = (None if each is None else each.float() for each in rest)
        return tuple(y.to(x.dtype) for y in function(x.float(), *wide, eps=eps))

    return computed


def cap_scale(workload: Workload) -> float:
    """Widen the cap for a sum that is far from zero for its spread: about 32, with one of 1.4.

    An operator may take the norm of the sum as it is returned, rounded to the working dtype.
    """
    return 16.0 if workload.distribution == "shifted" else 1.0


def cost(flops_per_element: float) -> Callable[[Workload, torch.dtype], Cost]:
    """Return the cost model: two inputs read once, two outputs written once, parameters once."""

    def least(workload: Workload, dtype: torch.dtype) -> Cost:
        shape = rows.shape_of(workload)
        elements = math.prod(shape)
        parameters = shape[-1] * len([a for a in str(workload.params["affine"]).split(",") if a])
        moved = (4 * elements + parameters) * element_bytes(dtype)
        return Cost(flops=(flops_per_element + 1) * elements, bytes=moved)

    return least


def _scaled(case: Case, seed: int) -> Case | None:
    x, residual = tensor_of(case, "x"), tensor_of(case, "residual")
    # Powers of two, so that no input is rounded; a factor below 1, so that none overflows.
    if x.numel() == 0 or float((x + residual).abs().max()) < 1e-2:
        return None
    static = {**case.static, "eps": float(case.static["eps"]) / 16}
    return dataclasses.replace(edited(case, x=x / 4, residual=residual / 4), static=static)


def _same(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    return apart(
        outputs[0], found[0], ulps=4, what="norm(s / 4, eps / 16) and norm(s, eps)"
    ) or apart(outputs[1], 4 * found[1], ulps=4, what="x + r and 4 (x / 4 + r / 4)")


def _exchanged(case: Case, seed: int) -> Case | None:
    return edited(case, x=case.tensors["residual"], residual=case.tensors["x"])


def _unchanged(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    return apart(outputs[0], found[0], ulps=4, what="y when x and residual are exchanged") or apart(
        outputs[1], found[1], ulps=1, what="the sum when x and residual are exchanged"
    )


SCALE = Law(
    name="scale",
    summary="f(x / 4, r / 4, eps / 16) = (y, total / 4)",
    variant=_scaled,
    violation=_same,
)
COMMUTES = Law(
    name="commutes",
    summary="f(x, r) = f(r, x)",
    variant=_exchanged,
    violation=_unchanged,
)
LAWS = (SCALE, COMMUTES, rows.INDEPENDENCE)
