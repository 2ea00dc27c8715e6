"""Activations on the CPU in C++, element by element: one read of each input, one write.

Papers: Hendrycks & Gimpel, "Gaussian Error Linear Units", 2016, arXiv:1606.08415; Elfwing, Uchibe &
Doya, 2017, arXiv:1702.03118, eq. 4 (SiLU); So et al., "Primer", 2021, arXiv:2109.08668, sec. 3
(squared ReLU); Shazeer, "GLU Variants Improve Transformer", 2020, arXiv:2002.05202, eq. 6.
Definitions: the references of the contracts, `dougong.contracts.activation`.

All compute in float32 and round once. Anything but float32 and bfloat16 on the CPU, an install
without the library and an outer `torch.compile` get torch's own functions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from dougong_kernels.calling import address, can_run, dense, function, needs_gradient, threads_for

SILU, SQUARED_RELU, GELU_ERF, GELU_TANH = range(4)
"""`ActivationKind` of `src/interface.h`."""


def silu(x: Tensor) -> Tensor:
    """`dougong.contracts.activation.silu.silu`: argument and result as there."""
    return _unary(SILU, x) if can_run(x) else functional.silu(x)


def squared_relu(x: Tensor) -> Tensor:
    """`dougong.contracts.activation.squared_relu.squared_relu`: argument and result as there."""
    return _unary(SQUARED_RELU, x) if can_run(x) else functional.relu(x).square()


def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """`dougong.contracts.activation.gelu.gelu`: arguments and result as there.

    Raises:
        ValueError: `approximate` is neither "none" nor "tanh".
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f'approximate must be "none" or "tanh", got {approximate!r}')
    if can_run(x):
        return _unary(GELU_TANH if approximate == "tanh" else GELU_ERF, x)
    return functional.gelu(x, approximate=approximate)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """`dougong.contracts.activation.swiglu.swiglu`: arguments and result as there."""
    if not can_run(gate, up) or gate.shape != up.shape:
        return functional.silu(gate) * up
    if needs_gradient(gate, up):
        return _Gated.apply(gate, up)  # type: ignore[no-any-return, no-untyped-call]  # torch leaves Function.apply untyped
    return _forward(SILU, dense(gate), dense(up))


def _unary(kind: int, x: Tensor) -> Tensor:
    if needs_gradient(x):
        return _Unary.apply(kind, x)  # type: ignore[no-any-return, no-untyped-call]  # torch leaves Function.apply untyped
    return _forward(kind, dense(x), None)


def _forward(kind: int, x: Tensor, up: Tensor | None) -> Tensor:
    y = torch.empty_like(x)
    _call(kind, x, up, None, y, None)
    return y


def _call(
    kind: int, x: Tensor, up: Tensor | None, dy: Tensor | None, y: Tensor, dup: Tensor | None
) -> None:
    n = x.numel()
    function("activation")(
        x.data_ptr(),
        address(up),
        address(dy),
        y.data_ptr(),
        address(dup),
        n,
        kind,
        x.dtype is torch.bfloat16,
        threads_for(n),
    )


class _Unary(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kind: int, x: Tensor) -> Tensor:
        x = dense(x)
        ctx.kind = kind
        ctx.save_for_backward(x)
        return _forward(kind, x, None)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[None, Tensor]:
        (x,) = ctx.saved_tensors
        dx = torch.empty_like(x)
        _call(ctx.kind, x, None, dense(dy), dx, None)
        return None, dx


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        gate, up = dense(gate), dense(up)
        ctx.save_for_backward(gate, up)
        return _forward(SILU, gate, up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        dgate, dup = torch.empty_like(gate), torch.empty_like(up)
        _call(SILU, gate, up, dense(dy), dgate, dup)
        return dgate, dup
