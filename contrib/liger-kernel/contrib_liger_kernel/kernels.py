"""Triton kernels of liger-kernel.

Adapter of liger-kernel (BSD-2-Clause), versions >=0.8.5,<0.9. Differs: out of place, where upstream
by default writes the gradient over its input; a missing gain is a gain of ones. Triton kernels:
only for a GPU, and never run where these verdicts were made.
"""

from __future__ import annotations

from liger_kernel.transformers.functional import (
    liger_layer_norm,
    liger_rms_norm,
    liger_swiglu,
)
from torch import Tensor


def rms_norm(x: Tensor, weight: Tensor | None = None, *, eps: float) -> Tensor:
    """Call `liger_rms_norm`, out of place.

    Args:
        x: Input, shape (..., D), on a GPU.
        weight: Gain, shape (D,), or None for 1.
        eps: Added to the mean square.
    """
    gain = x.new_ones(x.shape[-1]) if weight is None else weight
    return liger_rms_norm(x, gain, eps, in_place=False)


def layer_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float
) -> Tensor:
    """Call `liger_layer_norm`.

    Args:
        x: Input, shape (..., D), on a GPU.
        weight: Gain, shape (D,), or None for 1.
        bias: Offset, shape (D,), or None for 0.
        eps: Added to the variance.
    """
    gain = x.new_ones(x.shape[-1]) if weight is None else weight
    offset = x.new_zeros(x.shape[-1]) if bias is None else bias
    return liger_layer_norm(x, gain, offset, eps)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """Call `liger_swiglu`: silu(gate) * up.

    Args:
        gate: Input of the gate, on a GPU.
        up: What is gated, like `gate`.
    """
    return liger_swiglu(gate, up)
