"""GELU, SiLU, squared ReLU and SwiGLU in Triton, forward and backward.

Papers: Hendrycks & Gimpel, 2016, arXiv:1606.08415; Elfwing et al., 2017, arXiv:1702.03118; So et
al., 2021, arXiv:2109.08668; Shazeer, 2020, arXiv:2002.05202. Definitions: `dougong_plugins.
activation`. Computed in float32 and rounded once.

The tanh form of GELU is x sigmoid(2u) with u = sqrt(2 / pi) (x + 0.044715 x^3), because
(1 + tanh u) / 2 = sigmoid(2u): no tanh, and no cancellation in the tail.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional

from dougong_plugins.triton.launching import check

_BLOCK = 1024
ERF, TANH, SILU, SQUARED_RELU = 0, 1, 2, 3


@triton.jit
def _value(x, KIND: tl.constexpr):
    """Return f(x)."""
    if KIND == 0:
        y = 0.5 * x * (1.0 + tl.erf(x * 0.7071067811865476))
    elif KIND == 1:
        y = x * tl.sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x))
    elif KIND == 2:
        y = x * tl.sigmoid(x)
    else:
        y = tl.where(x > 0, x * x, tl.where(x == x, 0.0, x))  # NaN stays NaN
    return y


@triton.jit
def _slope(x, KIND: tl.constexpr):
    """Return df/dx."""
    if KIND == 0:
        density = 0.3989422804014327 * tl.exp(-0.5 * x * x)
        slope = 0.5 * (1.0 + tl.erf(x * 0.7071067811865476)) + x * density
    elif KIND == 1:
        s = tl.sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x))
        inner = 1.5957691216057308 * (1.0 + 0.134145 * x * x)
        slope = s + x * s * (1.0 - s) * inner
    elif KIND == 2:
        s = tl.sigmoid(x)
        slope = s + x * s * (1.0 - s)
    else:
        slope = tl.where(x > 0, 2.0 * x, tl.where(x == x, 0.0, x))
    return slope


@triton.jit
def _forward(
    x_ptr, up_ptr, y_ptr, count, KIND: tl.constexpr, GATED: tl.constexpr, BLOCK: tl.constexpr
):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = at < count
    y = _value(tl.load(x_ptr + at, mask=there, other=0.0).to(tl.float32), KIND)
    if GATED:
        y = y * tl.load(up_ptr + at, mask=there, other=0.0).to(tl.float32)
    tl.store(y_ptr + at, y, mask=there)


@triton.jit
def _backward(
    x_ptr, up_ptr, dy_ptr, dx_ptr, dup_ptr, count,
    KIND: tl.constexpr, GATED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = at < count
    x = tl.load(x_ptr + at, mask=there, other=0.0).to(tl.float32)
    dy = tl.load(dy_ptr + at, mask=there, other=0.0).to(tl.float32)
    if GATED:
        tl.store(dup_ptr + at, dy * _value(x, KIND), mask=there)
        dy = dy * tl.load(up_ptr + at, mask=there, other=0.0).to(tl.float32)
    tl.store(dx_ptr + at, dy * _slope(x, KIND), mask=there)


class _Pointwise(torch.autograd.Function):
    """f(x), or f(x) * up."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, up: Tensor | None, kind: int) -> Tensor:
        """Return the values and keep the inputs."""
        x, up = x.contiguous(), None if up is None else up.contiguous()
        y = torch.empty_like(x)
        if x.numel():
            grid = (triton.cdiv(x.numel(), _BLOCK),)
            _forward[grid](x, up, y, x.numel(), kind, up is not None, _BLOCK)
        ctx.save_for_backward(x, up)
        ctx.kind = kind
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]  # torch types it for any arguments
        """Return the gradients of x and up."""
        x, up = ctx.saved_tensors
        dx, dup = torch.empty_like(x), None if up is None else torch.empty_like(x)
        if x.numel():
            grid = (triton.cdiv(x.numel(), _BLOCK),)
            given = (x, up, dy.contiguous(), dx, dup, x.numel())
            _backward[grid](*given, ctx.kind, up is not None, _BLOCK)
        return dx, dup, None


def _mapped(x: Tensor, up: Tensor | None, kind: int) -> Tensor:
    check(x, up)
    y: Tensor = _Pointwise.apply(x, up, kind)  # type: ignore[no-untyped-call]  # torch does not annotate it
    return y


def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """`dougong_plugins.activation.gelu.gelu` as one kernel: arguments and result as there.

    Raises:
        TypeError: the dtype is none of float32, bfloat16, float16.
        ValueError: not on a CUDA device, or `approximate` is neither `none` nor `tanh`.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"approximate must be 'none' or 'tanh', got {approximate!r}")
    if torch.compiler.is_compiling():
        return functional.gelu(x, approximate=approximate)
    return _mapped(x, None, TANH if approximate == "tanh" else ERF)


def silu(x: Tensor) -> Tensor:
    """`dougong_plugins.activation.silu.silu` as one kernel: arguments and result as there.

    Raises:
        TypeError: the dtype is none of float32, bfloat16, float16.
        ValueError: not on a CUDA device.
    """
    return functional.silu(x) if torch.compiler.is_compiling() else _mapped(x, None, SILU)


def squared_relu(x: Tensor) -> Tensor:
    """`dougong_plugins.activation.squared_relu.squared_relu` as one kernel, as there.

    Raises:
        TypeError: the dtype is none of float32, bfloat16, float16.
        ValueError: not on a CUDA device.
    """
    if torch.compiler.is_compiling():
        return functional.relu(x).square()
    return _mapped(x, None, SQUARED_RELU)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """`dougong_plugins.activation.swiglu.swiglu` as one kernel: arguments and result as there.

    Raises:
        TypeError: the dtype is none of float32, bfloat16, float16, or the two differ.
        ValueError: not on a CUDA device, or the shapes differ.
    """
    if gate.shape != up.shape:
        raise ValueError(f"gate and up must be of one shape, got {gate.shape} and {up.shape}")
    return functional.silu(gate) * up if torch.compiler.is_compiling() else _mapped(gate, up, SILU)
