"""The norms' C++ kernels (`rows.cpp`) as functions of tensors, with their gradients."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dougong_plugins.native.library import Library, check_device, pointer, threads_for

_PART = 32
"""Rows whose contributions to the gradients of weight and bias are added up before the rest."""
_ROWS, _ROWS_BACKWARD = "pppppiift", "pppppppiiit"
_LIBRARY = Library(
    Path(__file__).with_name("rows.cpp"),
    {
        "layer": _ROWS,
        "layer_backward": _ROWS_BACKWARD,
        "rms": _ROWS,
        "rms_backward": _ROWS_BACKWARD,
        "group": "pppppiiiift",
        "group_backward": "pppppppiiiit",
    },
)


def rows_norm(
    kind: str, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """Run the kernel `kind` (`layer` or `rms`) over the last dimension.

    Raises:
        TypeError: a dtype is neither float32 nor bfloat16, or the tensors' differ.
        ValueError: a tensor is not on the CPU, or weight or bias does not fit.
    """
    _check(x, x.shape[-1], weight, bias)
    if _needs_gradient(x, weight, bias):
        return _Rows.apply(kind, x, weight, bias, eps)  # type: ignore[no-any-return, no-untyped-call]  # torch leaves Function.apply untyped
    return _rows(kind, x.contiguous(), weight, bias, eps, saved=None)


def group_norm(
    x: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """Run the group kernel over (N, C, *).

    Raises:
        TypeError: a dtype is neither float32 nor bfloat16, or the tensors' differ.
        ValueError: a tensor is not on the CPU, or groups, weight or bias do not fit.
    """
    channels = x.shape[1]
    if groups < 1 or channels % groups:
        raise ValueError(f"num_groups must divide the {channels} channels, got {groups}")
    _check(x, channels, weight, bias)
    if _needs_gradient(x, weight, bias):
        return _Groups.apply(x, groups, weight, bias, eps)  # type: ignore[no-any-return, no-untyped-call]  # torch leaves Function.apply untyped
    return _groups(x.contiguous(), groups, weight, bias, eps, saved=None)


def _check(x: Tensor, size: int, *affine: Tensor | None) -> None:
    check_device(x)
    for tensor in affine:
        if tensor is None:
            continue
        check_device(tensor)
        if tensor.shape != (size,):
            raise ValueError(
                f"weight and bias must have shape ({size},), got {tuple(tensor.shape)}"
            )
        if tensor.dtype != x.dtype:
            raise TypeError(f"weight and bias must be {x.dtype} like the input, got {tensor.dtype}")


def _needs_gradient(*tensors: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def _contiguous(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


def _rows(
    kind: str,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    saved: Tensor | None,
) -> Tensor:
    y = torch.empty_like(x)
    weight, bias = _contiguous(weight), _contiguous(bias)
    d = x.shape[-1]
    if n := x.numel():
        _LIBRARY.function(kind, x.dtype)(
            x.data_ptr(),
            pointer(weight),
            pointer(bias),
            y.data_ptr(),
            pointer(saved),
            n // d,
            d,
            eps,
            threads_for(n),
        )
    return y


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kind: str, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> Tensor:
        x = x.contiguous()
        rows = x.numel() // max(1, x.shape[-1])
        saved = torch.empty(rows, 2)
        ctx.kind, ctx.has_bias = kind, bias is not None
        ctx.save_for_backward(x, _contiguous(weight), saved)
        return _rows(kind, x, weight, bias, eps, saved)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, saved = ctx.saved_tensors
        dy, dx, d, n = dy.contiguous(), torch.empty_like(x), x.shape[-1], x.numel()
        parts = -(-len(saved) // _PART)
        dweight = None if weight is None else torch.zeros(parts, d)
        dbias = torch.zeros(parts, d) if ctx.has_bias else None
        if n:
            _LIBRARY.function(f"{ctx.kind}_backward", x.dtype)(
                dy.data_ptr(),
                x.data_ptr(),
                pointer(weight),
                saved.data_ptr(),
                dx.data_ptr(),
                pointer(dweight),
                pointer(dbias),
                n // d,
                d,
                parts,
                threads_for(n),
            )
        return None, dx, _summed(dweight, x.dtype), _summed(dbias, x.dtype), None


def _summed(partial: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if partial is None else partial.sum(0).to(dtype)


def _groups(
    x: Tensor,
    groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    saved: Tensor | None,
) -> Tensor:
    y = torch.empty_like(x)
    weight, bias = _contiguous(weight), _contiguous(bias)
    if n := x.numel():
        _LIBRARY.function("group", x.dtype)(
            x.data_ptr(),
            pointer(weight),
            pointer(bias),
            y.data_ptr(),
            pointer(saved),
            x.shape[0] * groups,
            groups,
            x.shape[1] // groups,
            math.prod(x.shape[2:]),
            eps,
            threads_for(n),
        )
    return y


class _Groups(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> Tensor:
        x = x.contiguous()
        saved = torch.empty(x.shape[0] * groups, 2)
        ctx.groups, ctx.has_bias = groups, bias is not None
        ctx.save_for_backward(x, _contiguous(weight), saved)
        return _groups(x, groups, weight, bias, eps, saved)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, saved = ctx.saved_tensors
        dy, dx = dy.contiguous(), torch.empty_like(x)
        dweight, dbias = torch.zeros(2, *x.shape[:2])
        if n := x.numel():
            _LIBRARY.function("group_backward", x.dtype)(
                dy.data_ptr(),
                x.data_ptr(),
                pointer(weight),
                saved.data_ptr(),
                dx.data_ptr(),
                dweight.data_ptr(),
                dbias.data_ptr(),
                x.shape[0] * ctx.groups,
                ctx.groups,
                x.shape[1] // ctx.groups,
                math.prod(x.shape[2:]),
                threads_for(n),
            )
        return (
            dx,
            None,
            None if weight is None else _summed(dweight, x.dtype),
            _summed(dbias, x.dtype) if ctx.has_bias else None,
            None,
        )
