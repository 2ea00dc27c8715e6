"""Means over several dimensions, one dimension at a time; global pooling and group norm of these.

A decomposition is applied to an exported program before it is lowered. Without them the means of
ExecuTorch 1.5, of XNNPACK and portable alike, have 5 to 16 times the rms error of torch's on single
calls, and models with group norm miss the bounds of `backend.inference@2`. A sum of sums rounds as
often as its parts are long (Higham, "The accuracy of floating point summation", 1993,
doi:10.1137/0914050).

Shape suffixes: N = batch, G = groups, C = channels, X = any dimensions in space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

_ATEN = torch.ops.aten


def one_by_one(x: Tensor, dims: Iterable[int]) -> Tensor:
    """Take the mean over dimensions, the last of them first, and keep each with one place."""
    for dim in sorted({dim % x.ndim for dim in dims}, reverse=True):
        x = _ATEN.mean.dim(x, [dim], True)
    return x


def mean(
    x: Tensor,
    dims: Sequence[int] | None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Take a mean as `torch.mean` does.

    Returns:
        The mean; NotImplemented, which leaves upstream's, where there is no second dimension or
        another dtype is asked for.
    """
    if not dims or len(dims) < 2 or dtype is not None:
        return NotImplemented
    found, gone = one_by_one(x, dims), {dim % x.ndim for dim in dims}
    if keepdim:
        return found
    return found.reshape([n for dim, n in enumerate(x.shape) if dim not in gone])


def pool(x: Tensor, size: Sequence[int]) -> Tensor:
    """Pool to one place as `torch.nn.functional.adaptive_avg_pool2d(x, 1)`, (..., X, X).

    Returns:
        (..., 1, 1); NotImplemented, which leaves upstream's, for any other size.
    """
    return one_by_one(x, (-2, -1)) if list(size) == [1, 1] else NotImplemented


def group_norm(
    x_NCX: Tensor,
    groups: int,
    weight_C: Tensor | None = None,
    bias_C: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Normalize groups of channels, the variance of what is left when the mean is taken away.

    Args:
        x_NCX: Floating point, N and C and any number of dimensions in space.
        groups: A divisor of C.
        weight_C: Factor of each channel.
        bias_C: Added to each channel.
        eps: Added to the variance.
        cudnn_enabled: As torch's; of no meaning here.

    Returns:
        Of the shape of the input.
    """
    x_NGCX = x_NCX.reshape(x_NCX.shape[0], groups, -1, *x_NCX.shape[2:])
    inside = range(2, x_NGCX.ndim)
    left_NGCX = x_NGCX - one_by_one(x_NGCX, inside)
    variance_NG = one_by_one(left_NGCX * left_NGCX, inside)
    y_NCX = (left_NGCX * torch.rsqrt(variance_NG + eps)).reshape(x_NCX.shape)
    each = (1, -1) + (1,) * (x_NCX.ndim - 2)
    if weight_C is not None:
        y_NCX = y_NCX * weight_C.reshape(each)
    return y_NCX if bias_C is None else y_NCX + bias_C.reshape(each)


DECOMPOSITIONS: Mapping[Any, Callable[..., Tensor]] = {
    _ATEN.mean.dim: mean,
    _ATEN.adaptive_avg_pool2d.default: pool,
    _ATEN.group_norm.default: group_norm,
}
"""For `torch.export.ExportedProgram.run_decompositions`."""
