"""Gaussian error linear unit, exact and tanh-approximated: `activation.gelu@1`.

Paper: Hendrycks & Gimpel, "Gaussian Error Linear Units (GELUs)", 2016, arXiv:1606.08415, section 2.

The two settings of `approximate` are two functions, up to 5e-4 apart: each is judged against its
own formula. An operator that has only one declares `features=("approximate:none",)` or
`("approximate:tanh",)`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.activation import pointwise
from dougong.contracts.definition import Contract
from dougong.contracts.functional import binder, in_float32

_SETTINGS = tuple(
    pointwise.Setting(
        prefix=f"{kind}-",
        statics={"approximate": kind},
        features=(f"approximate:{kind}",),
        speed=speed,
    )
    for kind, speed in (("none", ("bert-mlp", "llama-mlp")), ("tanh", ("vit-mlp",)))
)


def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """Weigh each element by the normal distribution function at it.

    none: y = x * (1 + erf(x / sqrt(2))) / 2
    tanh: y = x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2

    Args:
        x: Input, any shape and strides; floating point.
        approximate: `none` or `tanh`.

    Returns:
        Shape, dtype and device of `x`.

    Raises:
        ValueError: `approximate` is neither.

    Example:
        >>> gelu(torch.tensor([-100.0, 0.0, 100.0]))
        tensor([ -0.,   0., 100.])
    """
    if approximate == "none":
        return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    if approximate == "tanh":
        return x * 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    raise ValueError(f"approximate must be none or tanh, got {approximate!r}")


def gelu_torch(x: Tensor, *, approximate: str = "none") -> Tensor:
    """Compute the same with `torch.nn.functional.gelu`."""
    return functional.gelu(x, approximate=approximate)


gelu_float32 = in_float32(gelu)

CONTRACT = Contract(
    id="activation.gelu@1",
    summary="Gaussian error linear unit, exact (erf) or tanh-approximated",
    signature='f(x, *, approximate="none") -> y',
    paper="arXiv:1606.08415",
    reference=gelu,
    baselines={
        "torch": "dougong.contracts.activation.gelu:gelu_torch",
        "float32": "dougong.contracts.activation.gelu:gelu_float32",
    },
    generate=pointwise.generator_for("x"),
    workloads=pointwise.workloads(*_SETTINGS),
    hidden=pointwise.hidden("activation.gelu@1", *_SETTINGS),
    bind=binder("x"),
    tolerance=Tolerance(),
    gradient="optional",
    laws=(pointwise.TAILS, pointwise.POINTWISE),
    cost=pointwise.cost(1, 20.0),
    dtypes=("float64", "float32", "bfloat16", "float16"),
    features=("approximate:none", "approximate:tanh"),
)
