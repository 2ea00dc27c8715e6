"""The gate of SwiGLU, without its projections: `activation.swiglu@1`.

Paper: Shazeer, "GLU Variants Improve Transformer", 2020, arXiv:2002.05202, eq. 5.
Differs from the paper: the two projections stay outside, so that gate and up are the inputs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.activation import pointwise
from dougong.contracts.definition import Case, Contract, Law
from dougong.contracts.functional import binder, in_float32
from dougong.contracts.laws import apart, edited, tensor_of


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """Multiply by the SiLU of the gate.

    y = gate / (1 + exp(-gate)) * up

    Args:
        gate: Any shape and strides; floating point.
        up: Shape, dtype and device of `gate`.

    Returns:
        Shape, dtype and device of `gate`.

    Example:
        >>> swiglu(torch.tensor([200.0, 0.0]), torch.tensor([3.0, 3.0]))
        tensor([600.,   0.])
    """
    return gate * torch.sigmoid(gate) * up


def swiglu_torch(gate: Tensor, up: Tensor) -> Tensor:
    """Compute the same as models write it: `silu(gate) * up`."""
    return functional.silu(gate) * up


swiglu_float32 = in_float32(swiglu)


def _half(case: Case, seed: int) -> Case | None:
    return edited(case, up=tensor_of(case, "up") / 2)


def _halved(
    case: Case, outputs: tuple[Tensor, ...], changed: Case, found: tuple[Tensor, ...]
) -> str | None:
    if not bool(outputs[0].isfinite().all()):
        return None  # overflow has no scale
    return apart(outputs[0], 2 * found[0], ulps=1, what="f(gate, up) and 2 f(gate, up / 2)")


LINEAR = Law(
    name="linear",
    summary="f(gate, up / 2) = f(gate, up) / 2",
    variant=_half,
    violation=_halved,
)

CONTRACT = Contract(
    id="activation.swiglu@1",
    summary="SiLU of a gate times another tensor (the middle of a gated MLP)",
    signature="f(gate, up) -> y",
    paper="arXiv:2002.05202",
    reference=swiglu,
    baselines={
        "torch": "dougong.contracts.activation.swiglu:swiglu_torch",
        "float32": "dougong.contracts.activation.swiglu:swiglu_float32",
    },
    generate=pointwise.generator_for("gate", "up"),
    workloads=pointwise.workloads(),
    hidden=pointwise.hidden("activation.swiglu@1"),
    bind=binder("gate", "up"),
    tolerance=Tolerance(),
    gradient="optional",
    laws=(LINEAR, pointwise.POINTWISE),
    cost=pointwise.cost(2, 11.0),
    dtypes=("float64", "float32", "bfloat16", "float16"),
)
