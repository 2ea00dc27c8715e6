"""Layer normalisation.

Paper: Ba, Kiros & Hinton, "Layer Normalization", 2016, arXiv:1607.06450, eq. 4.
Differs from the paper: mean and variance are taken in float32 (float64 for float64 inputs),
whatever the input dtype.

Shape suffixes: X = any leading dimensions, D = features.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def layer_norm(
    x_XD: Tensor, weight_D: Tensor | None = None, bias_D: Tensor | None = None, *, eps: float = 1e-5
) -> Tensor:
    """Shift and scale each feature vector to mean 0 and variance 1; the definition.

    y = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias, over the last dimension, with the biased
    variance (divided by D).

    Args:
        x_XD: Input, shape (*, D); any floating dtype, any strides.
        weight_D: Gain, shape (D,), or None for 1.
        bias_D: Offset, shape (D,), or None for 0.
        eps: Added to the variance, in units of x squared.

    Returns:
        Shape and dtype of `x_XD`, contiguous.
    """
    wide_XD = x_XD.to(torch.promote_types(x_XD.dtype, torch.float32))
    centred_XD = wide_XD - wide_XD.mean(-1, keepdim=True)
    y_XD = centred_XD * torch.rsqrt(centred_XD.square().mean(-1, keepdim=True) + eps)
    if weight_D is not None:
        y_XD = y_XD * weight_D
    if bias_D is not None:
        y_XD = y_XD + bias_D
    return y_XD.to(x_XD.dtype)


def layer_norm_torch(
    x_XD: Tensor, weight_D: Tensor | None = None, bias_D: Tensor | None = None, *, eps: float = 1e-5
) -> Tensor:
    """`layer_norm` by `torch.nn.functional.layer_norm`: arguments and result as there."""
    return functional.layer_norm(x_XD, x_XD.shape[-1:], weight_D, bias_D, eps)
