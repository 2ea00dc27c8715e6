"""Norms, squared ReLU and attention of x-transformers.

Adapter of x-transformers (MIT), versions >=2.31,<2.32. Differs: `LayerNorm` gets the eps of the
call and a bias beside it (upstream has neither); `RMSNorm` has no eps to set: it divides by the
norm, at least 1e-12; `Attend` gets the key heads repeated beforehand, because upstream groups query
heads the other way round.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from x_transformers.attend import Attend
from x_transformers.x_transformers import LayerNorm, ReluSquared, RMSNorm


def layer_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float
) -> Tensor:
    """Call `x_transformers.LayerNorm` with the eps of the call, and add the bias.

    Args:
        x: Input, shape (..., D).
        weight: Gain, shape (D,), or None for 1.
        bias: Offset, shape (D,), or None for 0.
        eps: Added to the variance.
    """
    module = LayerNorm(x.shape[-1])
    module.ln.eps = eps
    y = _called(module, x, gamma=weight)
    return y if bias is None else y + bias


def rms_norm(x: Tensor, weight: Tensor | None = None, *, eps: float) -> Tensor:
    """Call `x_transformers.RMSNorm` over the last dimension.

    Args:
        x: Input, shape (..., D).
        weight: Gain, shape (D,), or None for 1.
        eps: Not used: upstream has none.
    """
    return _called(RMSNorm(x.shape[-1]), x, g=weight)


def squared_relu(x: Tensor) -> Tensor:
    """Call `x_transformers.ReluSquared`.

    Args:
        x: Input, any shape.
    """
    return ReluSquared()(x)


def attend(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Call `x_transformers.attend.Attend` without its fused path.

    Args:
        q_BHTD: Queries.
        k_BKSD: Keys; K divides H.
        v_BKSD: Values, like the keys.
        mask: Not supported, None.
        is_causal: See the contract.
        scale: Of the products; None for 1 / sqrt(D).
    """
    groups = q_BHTD.shape[1] // k_BKSD.shape[1]
    k_BHSD, v_BHSD = (t.repeat_interleave(groups, 1) for t in (k_BKSD, v_BKSD))
    module = Attend(causal=is_causal, scale=scale)
    return module(q_BHTD, k_BHSD, v_BHSD)[0]


def _called(module: nn.Module, x: Tensor, **parameters: Tensor | None) -> Tensor:
    own = dict(module.named_parameters())
    given = {n: own[n].to(x.dtype) if v is None else v for n, v in parameters.items()}
    return torch.func.functional_call(module, given, (x,))
