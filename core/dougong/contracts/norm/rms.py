"""Root-mean-square layer normalisation over the last dimension: `norm.rms@1`.

Paper: Zhang & Sennrich, "Root Mean Square Layer Normalization", 2019, arXiv:1910.07467, eq. 4.
Differs from the paper: eps is added to the mean square.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.definition import Contract
from dougong.contracts.functional import binder, in_float32
from dougong.contracts.norm import rows

_EPS = 1e-6
_AFFINE = ("weight",)


def rms_norm(x: Tensor, weight: Tensor | None = None, *, eps: float) -> Tensor:
    """Scale each feature vector by the inverse of its root mean square.

    y = weight * x / sqrt(mean(x**2) + eps), with the mean over the last dimension.

    Args:
        x: Input, shape (..., D), D >= 1; floating point; any strides.
        weight: Gain, shape (D,), or None for 1; same dtype and device as `x`.
        eps: Added to the mean square, in units of x squared; must be > 0.

    Returns:
        Shape, dtype and device of `x`.

    Raises:
        ValueError: `eps` is not positive.

    Example:
        >>> rms_norm(torch.tensor([[3.0, 4.0]]), eps=1e-12).square().mean().round(decimals=4)
        tensor(1.)
    """
    if eps <= 0:
        raise ValueError(f"eps must be positive, got {eps}")
    y = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    return y if weight is None else y * weight


def rms_norm_torch(x: Tensor, weight: Tensor | None = None, *, eps: float) -> Tensor:
    """Compute the same with `torch.nn.functional.rms_norm`."""
    return functional.rms_norm(x, x.shape[-1:], weight, eps)


rms_norm_float32 = in_float32(rms_norm)

CONTRACT = Contract(
    id="norm.rms@1",
    summary="Root-mean-square normalisation over the last dimension",
    signature="f(x, weight=None, *, eps) -> y",
    paper="arXiv:1910.07467",
    reference=rms_norm,
    baselines={
        "torch": "dougong.contracts.norm.rms:rms_norm_torch",
        "float32": "dougong.contracts.norm.rms:rms_norm_float32",
    },
    generate=rows.generator_for(_AFFINE),
    workloads=rows.workloads(_EPS, _AFFINE),
    hidden=rows.hidden("norm.rms@1", _EPS, _AFFINE),
    bind=binder("x", "weight"),
    tolerance=Tolerance(),
    gradient="optional",
    laws=(rows.SCALE, rows.INDEPENDENCE),
    cost=rows.cost(4.0),
    dtypes=("float64", "float32", "bfloat16", "float16"),
)
