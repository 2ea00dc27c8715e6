"""Sigmoid linear unit, also called Swish-1: `activation.silu@1`.

Paper: Elfwing, Uchibe & Doya, "Sigmoid-Weighted Linear Units", 2017, arXiv:1702.03118, eq. 5;
Ramachandran, Zoph & Le, "Searching for Activation Functions", 2017, arXiv:1710.05941, beta = 1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.activation import pointwise
from dougong.contracts.definition import Contract
from dougong.contracts.functional import binder, in_float32


def silu(x: Tensor) -> Tensor:
    """Weigh each element by its own sigmoid.

    y = x / (1 + exp(-x))

    Args:
        x: Input, any shape and strides; floating point.

    Returns:
        Shape, dtype and device of `x`.

    Example:
        >>> silu(torch.tensor([-200.0, 0.0, 200.0]))
        tensor([ -0.,   0., 200.])
    """
    return x * torch.sigmoid(x)


def silu_torch(x: Tensor) -> Tensor:
    """Compute the same with `torch.nn.functional.silu`."""
    return functional.silu(x)


silu_float32 = in_float32(silu)

CONTRACT = Contract(
    id="activation.silu@1",
    summary="Sigmoid linear unit (SiLU, Swish)",
    signature="f(x) -> y",
    paper="arXiv:1702.03118",
    reference=silu,
    baselines={
        "torch": "dougong.contracts.activation.silu:silu_torch",
        "float32": "dougong.contracts.activation.silu:silu_float32",
    },
    generate=pointwise.generator_for("x"),
    workloads=pointwise.workloads(),
    hidden=pointwise.hidden("activation.silu@1"),
    bind=binder("x"),
    tolerance=Tolerance(),
    gradient="optional",
    laws=(pointwise.TAILS, pointwise.POINTWISE),
    cost=pointwise.cost(1, 10.0),
    dtypes=("float64", "float32", "bfloat16", "float16"),
)
