"""Squared rectified linear unit.

Paper: So et al., "Primer: Searching for Efficient Transformers for Language Modeling", 2021,
arXiv:2109.08668, sec. 3.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def squared_relu(x: Tensor) -> Tensor:
    """Square the positive part; the definition.

    y = max(x, 0)**2; its derivative is 2 * max(x, 0).

    Args:
        x: Any shape, floating dtype and strides.

    Returns:
        Shape and dtype of `x`; computed in float32 (float64 for float64 inputs).
    """
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    return wide.clamp(min=0).square().to(x.dtype)


def squared_relu_torch(x: Tensor) -> Tensor:
    """`squared_relu` by torch's `relu` and `square`: argument and result as there."""
    return functional.relu(x).square()
