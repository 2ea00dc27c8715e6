"""Norms on the CPU in C++: of rows, of rows after a residual was added, and of groups of channels.

Papers: Ba, Kiros & Hinton, "Layer Normalization", 2016, arXiv:1607.06450, eq. 4; Zhang & Sennrich,
"Root Mean Square Layer Normalization", 2019, arXiv:1910.07467, eq. 4; Wu & He, "Group
Normalization", 2018, arXiv:1803.08494, eq. 1 and 7. Definitions: the references of the contracts,
`dougong.contracts.norm`.

All compute in float32 and round once. Anything but float32 and bfloat16 on the CPU, tensors of
mixed dtypes, an install without the library and an outer `torch.compile` get torch's own functions.

Shape suffixes: X = any leading dimensions, D = features, N = batch, C = channels.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from dougong_kernels import norm_calls
from dougong_kernels.calling import can_run


def rms_norm(x_XD: Tensor, weight_D: Tensor | None = None, *, eps: float = 1e-6) -> Tensor:
    """`dougong.contracts.norm.rms.rms_norm`: arguments and result as there."""
    if can_run(x_XD, weight_D) and _fits(x_XD, weight_D):
        return norm_calls.row_norm(x_XD, weight_D, None, eps, is_centred=False)
    return functional.rms_norm(x_XD, x_XD.shape[-1:], weight_D, eps)


def layer_norm(
    x_XD: Tensor, weight_D: Tensor | None = None, bias_D: Tensor | None = None, *, eps: float = 1e-5
) -> Tensor:
    """`dougong.contracts.norm.layer.layer_norm`: arguments and result as there."""
    if can_run(x_XD, weight_D, bias_D) and _fits(x_XD, weight_D, bias_D):
        return norm_calls.row_norm(x_XD, weight_D, bias_D, eps, is_centred=True)
    return functional.layer_norm(x_XD, x_XD.shape[-1:], weight_D, bias_D, eps)


def add_rms_norm(
    x_XD: Tensor, residual_XD: Tensor, weight_D: Tensor | None = None, *, eps: float = 1e-6
) -> tuple[Tensor, Tensor]:
    """`dougong.contracts.norm.add_rms.add_rms_norm`: arguments and results as there."""
    if can_run(x_XD, residual_XD, weight_D) and _fits(x_XD, weight_D, residual=residual_XD):
        return norm_calls.added_row_norm(x_XD, residual_XD, weight_D, None, eps, is_centred=False)
    sum_XD = x_XD + residual_XD
    return functional.rms_norm(sum_XD, sum_XD.shape[-1:], weight_D, eps), sum_XD


def add_layer_norm(
    x_XD: Tensor,
    residual_XD: Tensor,
    weight_D: Tensor | None = None,
    bias_D: Tensor | None = None,
    *,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor]:
    """`dougong.contracts.norm.add_layer.add_layer_norm`: arguments and results as there."""
    if can_run(x_XD, residual_XD, weight_D, bias_D) and _fits(
        x_XD, weight_D, bias_D, residual=residual_XD
    ):
        return norm_calls.added_row_norm(x_XD, residual_XD, weight_D, bias_D, eps, is_centred=True)
    sum_XD = x_XD + residual_XD
    return functional.layer_norm(sum_XD, sum_XD.shape[-1:], weight_D, bias_D, eps), sum_XD


def group_norm(
    x_NCX: Tensor,
    num_groups: int,
    weight_C: Tensor | None = None,
    bias_C: Tensor | None = None,
    *,
    eps: float = 1e-5,
) -> Tensor:
    """`dougong.contracts.norm.group.group_norm`: arguments and result as there."""
    divides = x_NCX.dim() > 1 and num_groups > 0 and x_NCX.shape[1] % num_groups == 0
    if divides and can_run(x_NCX, weight_C, bias_C) and _fits_channels(x_NCX, weight_C, bias_C):
        return norm_calls.group_norm(x_NCX, num_groups, weight_C, bias_C, eps)
    return functional.group_norm(x_NCX, num_groups, weight_C, bias_C, eps)


def _fits(
    x_XD: Tensor,
    weight_D: Tensor | None,
    bias_D: Tensor | None = None,
    *,
    residual: Tensor | None = None,
) -> bool:
    # What does not fit goes to torch, which says why.
    if x_XD.dim() == 0 or (residual is not None and residual.shape != x_XD.shape):
        return False
    size = x_XD.size(-1)
    return _is_of(weight_D, size) and _is_of(bias_D, size)


def _fits_channels(x_NCX: Tensor, weight_C: Tensor | None, bias_C: Tensor | None) -> bool:
    channels = x_NCX.size(1)
    return _is_of(weight_C, channels) and _is_of(bias_C, channels)


def _is_of(parameter: Tensor | None, size: int) -> bool:
    return parameter is None or (parameter.dim() == 1 and parameter.size(0) == size)
