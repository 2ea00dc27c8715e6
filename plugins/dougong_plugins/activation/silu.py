"""Sigmoid-weighted linear unit, also called Swish.

Paper: Elfwing, Uchibe & Doya, "Sigmoid-Weighted Linear Units for Neural Network Function
Approximation in Reinforcement Learning", 2017, arXiv:1702.03118, eq. 4.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def silu(x: Tensor) -> Tensor:
    """Weigh each input by its sigmoid; the definition.

    y = x / (1 + exp(-x)).

    Args:
        x: Any shape, floating dtype and strides.

    Returns:
        Shape and dtype of `x`; computed in float32 (float64 for float64 inputs).
    """
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return (wide * torch.sigmoid(wide)).to(x.dtype)


def silu_torch(x: Tensor) -> Tensor:
    """`silu` by `torch.nn.functional.silu`: argument and result as there."""
    return functional.silu(x)
