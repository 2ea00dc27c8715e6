"""Norms and activations of keras.ops.

Adapter of keras (Apache-2.0), versions >=3.15,<4. Differs: `keras.ops` on its torch backend, chosen
before keras is imported; only float32 is declared for the layer norm, whose bfloat16 gradients of
rows of one element the contract does not accept.
"""

from __future__ import annotations

import os

from torch import Tensor

os.environ.setdefault("KERAS_BACKEND", "torch")

from keras import ops


def rms_norm(x: Tensor, weight: Tensor | None = None, *, eps: float) -> Tensor:
    """Call `keras.ops.rms_normalization` over the last dimension.

    Args:
        x: Input, shape (..., D).
        weight: Gain, shape (D,), or None for 1.
        eps: Added to the mean square.
    """
    return ops.rms_normalization(x, weight, axis=-1, epsilon=eps)


def layer_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float
) -> Tensor:
    """Call `keras.ops.layer_normalization` over the last dimension.

    Args:
        x: Input, shape (..., D).
        weight: Gain, shape (D,), or None for 1.
        bias: Offset, shape (D,), or None for 0.
        eps: Added to the variance.
    """
    return ops.layer_normalization(x, weight, bias, axis=-1, epsilon=eps)


def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """Call `keras.ops.gelu`.

    Args:
        x: Input, any shape.
        approximate: `none` or `tanh`.
    """
    return ops.gelu(x, approximate=approximate == "tanh")


def silu(x: Tensor) -> Tensor:
    """Call `keras.ops.silu`.

    Args:
        x: Input, any shape.
    """
    return ops.silu(x)
