"""Layer normalisation over the last dimension: `norm.layer@1`.

Paper: Ba, Kiros & Hinton, "Layer Normalization", 2016, arXiv:1607.06450, eq. 3 and 4.
Differs from the paper: eps is added to the variance.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.definition import Case, Contract, Law
from dougong.contracts.functional import binder, in_float32
from dougong.contracts.laws import apart, edited, tensor_of
from dougong.contracts.norm import rows
from dougong.contracts.sampling import generator

_EPS = 1e-5
_AFFINE = ("weight", "bias")


def layer_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float
) -> Tensor:
    """Shift and scale each feature vector to mean 0 and variance 1, then apply gain and bias.

    y = weight * (x - mean(x)) / sqrt(var(x) + eps) + bias, with mean and biased variance over the
    last dimension.

    Args:
        x: Input, shape (..., D), D >= 1; floating point; any strides.
        weight: Gain, shape (D,), or None for 1; same dtype and device as `x`.
        bias: Offset, shape (D,), or None for 0; same dtype and device as `x`.
        eps: Added to the variance, in units of x squared; must be > 0.

    Returns:
        Shape, dtype and device of `x`.

    Raises:
        ValueError: `eps` is not positive.

    Example:
        >>> layer_norm(torch.tensor([[1.0, 3.0]]), eps=1e-12)
        tensor([[-1.,  1.]])
    """
    if eps <= 0:
        raise ValueError(f"eps must be positive, got {eps}")
    centred = x - x.mean(-1, keepdim=True)
    y = centred * torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def layer_norm_torch(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float
) -> Tensor:
    """Compute the same with `torch.nn.functional.layer_norm`."""
    return functional.layer_norm(x, x.shape[-1:], weight, bias, eps)


layer_norm_float32 = in_float32(layer_norm)


def _shifted(case: Case, seed: int) -> Case | None:
    x = tensor_of(case, "x")
    if torch.finfo(x.dtype).bits < 32 or x.numel() == 0:
        return None  # the shift itself would be rounded away
    spread, centre = x.double().std(-1, correction=0), x.double().mean(-1).abs()
    if float(spread.min()) < 0.1 * (1 + float(centre.max())):
        return None  # ill-conditioned rows amplify the rounding of the shift
    shift = torch.randn(x.shape[:-1], generator=generator(seed, "shift"), dtype=torch.float64)
    return edited(case, x=x + shift.to(x.dtype).unsqueeze(-1))


def _unmoved(
    case: Case, outputs: tuple[Tensor, ...], changed: Case, found: tuple[Tensor, ...]
) -> str | None:
    return apart(outputs[0], found[0], ulps=64, what="norm(x + c) and norm(x)")


SHIFT = Law(
    name="shift",
    summary="norm(x + c) = norm(x) for a constant c per row",
    variant=_shifted,
    violation=_unmoved,
)

CONTRACT = Contract(
    id="norm.layer@1",
    summary="Layer normalisation over the last dimension",
    signature="f(x, weight=None, bias=None, *, eps) -> y",
    paper="arXiv:1607.06450",
    reference=layer_norm,
    baselines={
        "torch": "dougong.contracts.norm.layer:layer_norm_torch",
        "float32": "dougong.contracts.norm.layer:layer_norm_float32",
    },
    generate=rows.generator_for(_AFFINE),
    workloads=rows.workloads(_EPS, _AFFINE),
    hidden=rows.hidden("norm.layer@1", _EPS, _AFFINE),
    bind=binder("x", "weight", "bias"),
    tolerance=Tolerance(),
    gradient="optional",
    laws=(rows.SCALE, rows.INDEPENDENCE, SHIFT),
    cost=rows.cost(8.0),
    dtypes=("float64", "float32", "bfloat16", "float16"),
)
