"""Norms and SiLU of diffusers.

Adapter of diffusers (Apache-2.0), versions >=0.42,<0.43. Differs: the modules' parameters are the
arguments (`torch.func.functional_call`), so that one call makes a module; only float32 is declared
for the norms, whose bfloat16 gradients of rows of one element the contract does not accept.
"""

from __future__ import annotations

import torch
from diffusers.models.activations import FP32SiLU
from diffusers.models.normalization import FP32LayerNorm, RMSNorm
from torch import Tensor, nn


def rms_norm(x: Tensor, weight: Tensor | None = None, *, eps: float) -> Tensor:
    """Call `diffusers.models.normalization.RMSNorm` over the last dimension.

    Args:
        x: Input, shape (..., D).
        weight: Gain, shape (D,), or None for 1.
        eps: Added to the mean square.
    """
    module = RMSNorm(x.shape[-1], eps, elementwise_affine=weight is not None)
    return _called(module, x, weight=weight)


def layer_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float
) -> Tensor:
    """Call `diffusers.models.normalization.FP32LayerNorm` over the last dimension.

    Args:
        x: Input, shape (..., D).
        weight: Gain, shape (D,), or None for 1.
        bias: Offset, shape (D,), or None for 0.
        eps: Added to the variance.
    """
    affine = weight is not None
    module = FP32LayerNorm(x.shape[-1], eps, elementwise_affine=affine, bias=bias is not None)
    return _called(module, x, weight=weight, bias=bias)


def silu(x: Tensor) -> Tensor:
    """Call `diffusers.models.activations.FP32SiLU`.

    Args:
        x: Input, any shape.
    """
    return FP32SiLU()(x)


def _called(module: nn.Module, x: Tensor, **parameters: Tensor | None) -> Tensor:
    given = {name: value for name, value in parameters.items() if value is not None}
    return torch.func.functional_call(module, given, (x,))
