"""Root-mean-square norm of a sum with a residual: `norm.add_rms@1`.

Paper: Zhang & Sennrich, "Root Mean Square Layer Normalization", 2019, arXiv:1910.07467, eq. 4, of
x + residual, as between the blocks of a pre-norm transformer.
Differs from the paper: eps is added to the mean square.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.definition import Contract
from dougong.contracts.norm import added, rows

_EPS = 1e-6
_AFFINE = ("weight",)


def add_rms_norm(
    x: Tensor, residual: Tensor, weight: Tensor | None = None, *, eps: float
) -> tuple[Tensor, Tensor]:
    """Add the residual and scale each feature vector by the inverse of its root mean square.

    total = x + residual; y = weight * total / sqrt(mean(total**2) + eps), with the mean over the
    last dimension.

    Args:
        x: Input, shape (..., D), D >= 1; floating point; any strides.
        residual: Shape, dtype and device of `x`.
        weight: Gain, shape (D,), or None for 1; same dtype and device as `x`.
        eps: Added to the mean square, in units of x squared; must be > 0.

    Returns:
        (y, total), each of the shape, dtype and device of `x`.

    Raises:
        ValueError: `eps` is not positive.

    Example:
        >>> add_rms_norm(torch.tensor([[1.0, 1.0]]), torch.tensor([[2.0, 2.0]]), eps=1e-12)
        (tensor([[1., 1.]]), tensor([[3., 3.]]))
    """
    if eps <= 0:
        raise ValueError(f"eps must be positive, got {eps}")
    total = x + residual
    y = total * torch.rsqrt(total.square().mean(-1, keepdim=True) + eps)
    return (y if weight is None else y * weight), total


def add_rms_norm_torch(
    x: Tensor, residual: Tensor, weight: Tensor | None = None, *, eps: float
) -> tuple[Tensor, Tensor]:
    """Compute the same with an addition and `torch.nn.functional.rms_norm`."""
    total = x + residual
    return functional.rms_norm(total, total.shape[-1:], weight, eps), total


add_rms_norm_float32 = added.in_float32(add_rms_norm)

CONTRACT = Contract(
    id="norm.add_rms@1",
    summary="Root-mean-square normalisation of a sum with a residual",
    signature="f(x, residual, weight=None, *, eps) -> (y, total)",
    paper="arXiv:1910.07467",
    reference=add_rms_norm,
    baselines={
        "torch": "dougong.contracts.norm.add_rms:add_rms_norm_torch",
        "float32": "dougong.contracts.norm.add_rms:add_rms_norm_float32",
    },
    generate=added.generator_for(_AFFINE),
    workloads=rows.workloads(_EPS, _AFFINE),
    hidden=rows.hidden("norm.add_rms@1", _EPS, _AFFINE),
    bind=added.binder("x", "residual", "weight"),
    tolerance=Tolerance(cap_scale=added.cap_scale),
    gradient="optional",
    laws=added.LAWS,
    cost=added.cost(4.0),
    dtypes=("float64", "float32", "bfloat16", "float16"),
)
