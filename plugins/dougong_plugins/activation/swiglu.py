"""Swish-gated linear unit: the gate, without the projections around it.

Paper: Shazeer, "GLU Variants Improve Transformer", 2020, arXiv:2002.05202, eq. 5 and 6.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """Multiply one projection by the SiLU of the other; the definition.

    y = gate / (1 + exp(-gate)) * up.

    Args:
        gate: Any shape, floating dtype and strides.
        up: Shape and dtype of `gate`.

    Returns:
        Shape and dtype of `gate`; computed in float32 (float64 for float64 inputs).
    """
    wide = gate.to(torch.promote_types(gate.dtype, torch.float32))
    return (wide * torch.sigmoid(wide) * up).to(gate.dtype)


def swiglu_torch(gate: Tensor, up: Tensor) -> Tensor:
    """`swiglu` by `torch.nn.functional.silu` and a product: arguments and result as there.

    In low precision the SiLU is rounded once more before the product.
    """
    return functional.silu(gate) * up
