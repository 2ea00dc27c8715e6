"""Gaussian error linear unit.

Paper: Hendrycks & Gimpel, "Gaussian Error Linear Units (GELUs)", 2016, arXiv:1606.08415, sec. 2.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Approximate = Literal["none", "tanh"]


def gelu(x: Tensor, *, approximate: Approximate = "none") -> Tensor:
    """Weigh each input by the normal probability of lying below it; the definition.

    `none`: y = x * (1 + erf(x / sqrt(2))) / 2.
    `tanh`: y = x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2.

    Args:
        x: Any shape, floating dtype and strides.
        approximate: Which of the two formulas.

    Returns:
        Shape and dtype of `x`; computed in float32 (float64 for float64 inputs).

    Raises:
        ValueError: `approximate` is neither.
    """
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    if approximate == "none":
        gate = torch.erf(wide * math.sqrt(0.5))
    elif approximate == "tanh":
        gate = torch.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3))
    else:
        raise ValueError(f"approximate must be none or tanh, got {approximate!r}")
    return (0.5 * wide * (1 + gate)).to(x.dtype)


def gelu_torch(x: Tensor, *, approximate: Approximate = "none") -> Tensor:
    """`gelu` by `torch.nn.functional.gelu`: arguments and result as there."""
    return functional.gelu(x, approximate=approximate)
