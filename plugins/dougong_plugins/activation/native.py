"""The activations' C++ kernels (`pointwise.cpp`) as functions of tensors, with their gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dougong_plugins.native.library import Library, check_device, threads_for

_UNARY = ("silu", "squared_relu", "gelu_none", "gelu_tanh")
_LIBRARY = Library(
    Path(__file__).with_name("pointwise.cpp"),
    {
        **dict.fromkeys(_UNARY, "ppit"),
        **{f"{name}_backward": "pppit" for name in _UNARY},
        "swiglu": "pppit",
        "swiglu_backward": "pppppit",
    },
)


def unary(kind: str, x: Tensor) -> Tensor:
    """Apply the kernel `kind` to every element.

    Raises:
        TypeError: the dtype is neither float32 nor bfloat16.
        ValueError: the tensor is not on the CPU.
    """
    check_device(x)
    if torch.is_grad_enabled() and x.requires_grad:
        return _Unary.apply(kind, x)  # type: ignore[no-any-return, no-untyped-call]  # torch leaves Function.apply untyped
    return _unary(kind, x)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """Apply the kernel to every pair of elements.

    Raises:
        TypeError: the dtype is neither float32 nor bfloat16, or the two differ.
        ValueError: a tensor is not on the CPU, or the shapes differ.
    """
    check_device(gate)
    check_device(up)
    if gate.shape != up.shape:
        raise ValueError(f"up must have shape {tuple(gate.shape)}, got {tuple(up.shape)}")
    if gate.dtype != up.dtype:
        raise TypeError(f"up must be {gate.dtype} like the gate, got {up.dtype}")
    if torch.is_grad_enabled() and (gate.requires_grad or up.requires_grad):
        return _SwiGLU.apply(gate, up)  # type: ignore[no-any-return, no-untyped-call]  # torch leaves Function.apply untyped
    return _swiglu(gate.contiguous(), up.contiguous())


def _unary(kind: str, x: Tensor) -> Tensor:
    x = x.contiguous()
    y = torch.empty_like(x)
    n = x.numel()
    _LIBRARY.function(kind, x.dtype)(x.data_ptr(), y.data_ptr(), n, threads_for(n))
    return y


class _Unary(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kind: str, x: Tensor) -> Tensor:
        ctx.kind = kind
        ctx.save_for_backward(x)
        return _unary(kind, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        x, dy = x.contiguous(), dy.contiguous()
        dx, n = torch.empty_like(x), x.numel()
        function = _LIBRARY.function(f"{ctx.kind}_backward", x.dtype)
        function(dy.data_ptr(), x.data_ptr(), dx.data_ptr(), n, threads_for(n))
        return None, dx


def _swiglu(gate: Tensor, up: Tensor) -> Tensor:
    y, n = torch.empty_like(gate), gate.numel()
    function = _LIBRARY.function("swiglu", gate.dtype)
    function(gate.data_ptr(), up.data_ptr(), y.data_ptr(), n, threads_for(n))
    return y


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        gate, up = gate.contiguous(), up.contiguous()
        ctx.save_for_backward(gate, up)
        return _swiglu(gate, up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        dy, dgate, dup = dy.contiguous(), torch.empty_like(gate), torch.empty_like(up)
        n = gate.numel()
        _LIBRARY.function("swiglu_backward", gate.dtype)(
            dy.data_ptr(),
            gate.data_ptr(),
            up.data_ptr(),
            dgate.data_ptr(),
            dup.data_ptr(),
            n,
            threads_for(n),
        )
        return dgate, dup
