"""Layer norm of a sum with a residual: `norm.add_layer@1`.

Paper: Ba, Kiros & Hinton, "Layer Normalization", 2016, arXiv:1607.06450, eq. 3 and 4, of
x + residual, as after the blocks of a post-norm transformer and between those of a pre-norm one.
Differs from the paper: eps is added to the variance.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.definition import Contract
from dougong.contracts.norm import added, rows

_EPS = 1e-5
_AFFINE = ("weight", "bias")


def add_layer_norm(
    x: Tensor,
    residual: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """Add the residual and shift and scale each feature vector to mean 0 and variance 1.

    total = x + residual; y = weight * (total - mean(total)) / sqrt(var(total) + eps) + bias, with
    mean and biased variance over the last dimension.

    Args:
        x: Input, shape (..., D), D >= 1; floating point; any strides.
        residual: Shape, dtype and device of `x`.
        weight: Gain, shape (D,), or None for 1; same dtype and device as `x`.
        bias: Offset, shape (D,), or None for 0; same dtype and device as `x`.
        eps: Added to the variance, in units of x squared; must be > 0.

    Returns:
        (y, total), each of the shape, dtype and device of `x`.

    Raises:
        ValueError: `eps` is not positive.

    Example:
        >>> add_layer_norm(torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0, 2.0]]), eps=1e-12)
        (tensor([[-1.,  1.]]), tensor([[1., 3.]]))
    """
    if eps <= 0:
        raise ValueError(f"eps must be positive, got {eps}")
    total = x + residual
    centred = total - total.mean(-1, keepdim=True)
    y = centred * torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)
    y = y if weight is None else y * weight
    return (y if bias is None else y + bias), total


def add_layer_norm_torch(
    x: Tensor,
    residual: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """Compute the same with an addition and `torch.nn.functional.layer_norm`."""
    total = x + residual
    return functional.layer_norm(total, total.shape[-1:], weight, bias, eps), total


add_layer_norm_float32 = added.in_float32(add_layer_norm)

CONTRACT = Contract(
    id="norm.add_layer@1",
    summary="Layer normalisation of a sum with a residual",
    signature="f(x, residual, weight=None, bias=None, *, eps) -> (y, total)",
    paper="arXiv:1607.06450",
    reference=add_layer_norm,
    baselines={
        "torch": "dougong.contracts.norm.add_layer:add_layer_norm_torch",
        "float32": "dougong.contracts.norm.add_layer:add_layer_norm_float32",
    },
    generate=added.generator_for(_AFFINE),
    workloads=rows.workloads(_EPS, _AFFINE),
    hidden=rows.hidden("norm.add_layer@1", _EPS, _AFFINE),
    bind=added.binder("x", "residual", "weight", "bias"),
    tolerance=Tolerance(cap_scale=added.cap_scale),
    gradient="optional",
    laws=added.LAWS,
    cost=added.cost(8.0),
    dtypes=("float64", "float32", "bfloat16", "float16"),
)
