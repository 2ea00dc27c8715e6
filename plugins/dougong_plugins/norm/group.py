"""Group normalisation.

Paper: Wu & He, "Group Normalization", 2018, arXiv:1803.08494, eq. 1, 2, 5 to 7.
Differs from the paper: mean and variance are taken in float32 (float64 for float64 inputs),
whatever the input dtype.

Shape suffixes: N = batch, C = channels, X = any trailing dimensions, G = groups,
E = elements of a group, K = one.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def group_norm(
    x_NCX: Tensor,
    num_groups: int,
    weight_C: Tensor | None = None,
    bias_C: Tensor | None = None,
    *,
    eps: float = 1e-5,
) -> Tensor:
    """Shift and scale each group of channels of a sample to mean 0, variance 1; the definition.

    y = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias, mean and biased variance over the
    channels of one group and all trailing dimensions of one sample.

    Args:
        x_NCX: Input, shape (N, C, *); any floating dtype, any strides.
        num_groups: Groups the C channels are cut into; must divide C.
        weight_C: Gain, shape (C,), or None for 1.
        bias_C: Offset, shape (C,), or None for 0.
        eps: Added to the variance, in units of x squared.

    Returns:
        Shape and dtype of `x_NCX`.

    Raises:
        ValueError: `num_groups` does not divide C.
    """
    N, C = x_NCX.shape[:2]
    if num_groups < 1 or C % num_groups:
        raise ValueError(f"num_groups must divide the {C} channels, got {num_groups}")
    wide_NGE = x_NCX.to(torch.promote_types(x_NCX.dtype, torch.float32)).reshape(N, num_groups, -1)
    centred_NGE = wide_NGE - wide_NGE.mean(-1, keepdim=True)
    y_NGE = centred_NGE * torch.rsqrt(centred_NGE.square().mean(-1, keepdim=True) + eps)
    y_NCX = y_NGE.reshape(x_NCX.shape)
    per_channel = (1, C) + (1,) * (x_NCX.dim() - 2)
    if weight_C is not None:
        y_NCX = y_NCX * weight_C.view(per_channel)
    if bias_C is not None:
        y_NCX = y_NCX + bias_C.view(per_channel)
    return y_NCX.to(x_NCX.dtype)


def group_norm_torch(
    x_NCX: Tensor,
    num_groups: int,
    weight_C: Tensor | None = None,
    bias_C: Tensor | None = None,
    *,
    eps: float = 1e-5,
) -> Tensor:
    """`group_norm` by `torch.nn.functional.group_norm`: arguments and result as there."""
    return functional.group_norm(x_NCX, num_groups, weight_C, bias_C, eps)
