"""Root-mean-square layer normalisation.

Paper: Zhang & Sennrich, "Root Mean Square Layer Normalization", 2019, arXiv:1910.07467, eq. 4.
Differs from the paper: the mean square is taken in float32 (float64 for float64 inputs), whatever
the input dtype.

Shape suffixes: X = any leading dimensions, D = features.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def rms_norm(x_XD: Tensor, weight_D: Tensor | None = None, *, eps: float = 1e-6) -> Tensor:
    """Scale each feature vector by the inverse of its root mean square; the definition.

    y = x / sqrt(mean(x**2) + eps) * weight, over the last dimension.

    Args:
        x_XD: Input, shape (*, D); any floating dtype, any strides.
        weight_D: Gain, shape (D,), or None for 1.
        eps: Added to the mean square, in units of x squared.

    Returns:
        Shape and dtype of `x_XD`, contiguous.
    """
    wide_XD = x_XD.to(torch.promote_types(x_XD.dtype, torch.float32))
    y_XD = wide_XD * torch.rsqrt(wide_XD.square().mean(-1, keepdim=True) + eps)
    if weight_D is not None:
        y_XD = y_XD * weight_D
    return y_XD.to(x_XD.dtype)


def rms_norm_torch(x_XD: Tensor, weight_D: Tensor | None = None, *, eps: float = 1e-6) -> Tensor:
    """`rms_norm` by `torch.nn.functional.rms_norm`: arguments and result as there."""
    return functional.rms_norm(x_XD, x_XD.shape[-1:], weight_D, eps)
