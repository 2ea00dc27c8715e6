"""Squared rectifier: `activation.squared_relu@1`.

Paper: So et al., "Primer: Searching for Efficient Transformers for Language Modeling", 2021,
arXiv:2109.08668, section 4.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.activation import pointwise
from dougong.contracts.definition import Case, Contract, Law
from dougong.contracts.functional import binder, in_float32
from dougong.contracts.laws import apart, edited, tensor_of


def squared_relu(x: Tensor) -> Tensor:
    """Square what is positive and drop the rest.

    y = max(x, 0)**2; infinite where the square overflows the dtype.

    Args:
        x: Input, any shape and strides; floating point.

    Returns:
        Shape, dtype and device of `x`.

    Example:
        >>> squared_relu(torch.tensor([-2.0, 0.0, 3.0]))
        tensor([0., 0., 9.])
    """
    return x.clamp_min(0).square()


def squared_relu_torch(x: Tensor) -> Tensor:
    """Compute the same with `torch.relu` and `square`, the usual spelling."""
    return torch.relu(x).square()


squared_relu_float32 = in_float32(squared_relu)


def _doubled(case: Case, seed: int) -> Case | None:
    return edited(case, x=tensor_of(case, "x") / 2)


def _quadrupled(
    case: Case, outputs: tuple[Tensor, ...], changed: Case, found: tuple[Tensor, ...]
) -> str | None:
    if not bool(outputs[0].isfinite().all()):
        return None  # overflow has no scale
    return apart(outputs[0], 4 * found[0], ulps=1, what="f(x) and 4 f(x / 2)")


HOMOGENEOUS = Law(
    name="homogeneous",
    summary="f(x / 2) = f(x) / 4",
    variant=_doubled,
    violation=_quadrupled,
)

CONTRACT = Contract(
    id="activation.squared_relu@1",
    summary="Squared rectified linear unit",
    signature="f(x) -> y",
    paper="arXiv:2109.08668",
    reference=squared_relu,
    baselines={
        "torch": "dougong.contracts.activation.squared_relu:squared_relu_torch",
        "float32": "dougong.contracts.activation.squared_relu:squared_relu_float32",
    },
    generate=pointwise.generator_for("x"),
    workloads=pointwise.workloads(),
    hidden=pointwise.hidden("activation.squared_relu@1"),
    bind=binder("x"),
    tolerance=Tolerance(),
    gradient="optional",
    laws=(HOMOGENEOUS, pointwise.POINTWISE),
    cost=pointwise.cost(1, 2.0),
    dtypes=("float64", "float32", "bfloat16", "float16"),
)
