"""LlamaRMSNorm and activations of transformers.

Adapter of transformers (Apache-2.0), versions >=5.23,<6. Differs: the norm's gain is the argument
(`torch.func.functional_call`); of GELU only the tanh form is declared, which is what `gelu_new` is.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.activations import ACT2FN
from transformers.models.llama.modeling_llama import LlamaRMSNorm


def rms_norm(x: Tensor, weight: Tensor | None = None, *, eps: float) -> Tensor:
    """Call `LlamaRMSNorm` over the last dimension.

    Args:
        x: Input, shape (..., D).
        weight: Gain, shape (D,), or None for 1.
        eps: Added to the mean square.
    """
    gain = x.new_ones(x.shape[-1]) if weight is None else weight
    return torch.func.functional_call(LlamaRMSNorm(x.shape[-1], eps), {"weight": gain}, (x,))


def gelu(x: Tensor, *, approximate: str = "tanh") -> Tensor:
    """Call `transformers.activations.NewGELUActivation`.

    Args:
        x: Input, any shape.
        approximate: Only `tanh`.
    """
    return ACT2FN["gelu_new"](x)


def squared_relu(x: Tensor) -> Tensor:
    """Call `transformers.activations.ReLUSquaredActivation`.

    Args:
        x: Input, any shape.
    """
    return ACT2FN["relu2"](x)
