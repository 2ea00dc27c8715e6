"""The norms' kernels as functions of tensors, with their gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dougong_kernels.calling import (
    address,
    dense,
    dense_or_none,
    function,
    needs_gradient,
    threads_for,
)

PART = 32
"""Rows whose contributions to the gradients of weight and bias are added up before the rest."""

_Pair = tuple[Tensor, Tensor | None]


def row_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, *, is_centred: bool
) -> Tensor:
    """Norm over the last dimension; the tensors fit and are of one dtype."""
    if needs_gradient(x, weight, bias):
        return _Rows.apply(x, None, weight, bias, eps, is_centred)[0]  # type: ignore[no-any-return, no-untyped-call]  # torch leaves Function.apply untyped
    return _rows(dense(x), None, weight, bias, eps, is_centred, None)[0]


def added_row_norm(
    x: Tensor,
    residual: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    *,
    is_centred: bool,
) -> tuple[Tensor, Tensor]:
    """Norm of x + residual over the last dimension, and that sum."""
    if needs_gradient(x, residual, weight, bias):
        return _Rows.apply(x, residual, weight, bias, eps, is_centred)  # type: ignore[no-any-return, no-untyped-call]  # torch leaves Function.apply untyped
    y, total = _rows(dense(x), dense(residual), weight, bias, eps, is_centred, None)
    assert total is not None  # noqa: S101 - there is one where there is a residual
    return y, total


def group_norm(
    x: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """Norm of groups of channels of (N, C, *); the tensors fit and are of one dtype."""
    if needs_gradient(x, weight, bias):
        return _Groups.apply(x, groups, weight, bias, eps)  # type: ignore[no-any-return, no-untyped-call]  # torch leaves Function.apply untyped
    return _groups(dense(x), groups, weight, bias, eps, None)


def _rows(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    is_centred: bool,
    moments: Tensor | None,
) -> _Pair:
    y = torch.empty_like(x)
    total = None if residual is None else torch.empty_like(x)
    weight, bias = dense_or_none(weight), dense_or_none(bias)
    if n := x.numel():
        d = x.shape[-1]
        function("row_norm")(
            x.data_ptr(),
            address(residual),
            address(weight),
            address(bias),
            y.data_ptr(),
            address(total),
            address(moments),
            n // d,
            d,
            eps,
            is_centred,
            x.dtype is torch.bfloat16,
            threads_for(n),
        )
    return y, total


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        residual: Tensor | None,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
        is_centred: bool,
    ) -> _Pair:
        x, residual = dense(x), dense_or_none(residual)
        moments = torch.empty(x.numel() // max(1, x.shape[-1]), 2)
        y, total = _rows(x, residual, weight, bias, eps, is_centred, moments)
        ctx.is_centred, ctx.has_bias = is_centred, bias is not None
        ctx.save_for_backward(x if total is None else total, dense_or_none(weight), moments)
        ctx.set_materialize_grads(False)
        return y, total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor | None, dtotal: Tensor | None) -> tuple[Tensor | None, ...]:
        needs_residual = ctx.needs_input_grad[1]
        if dy is None:
            return dtotal, dtotal if needs_residual else None, None, None, None, None
        dx, dweight, dbias = _rows_backward(ctx, dense(dy), dense_or_none(dtotal))
        return dx, dx if needs_residual else None, dweight, dbias, None, None


def _rows_backward(
    ctx: Any, dy: Tensor, dtotal: Tensor | None
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    x, weight, moments = ctx.saved_tensors
    n, d = x.numel(), x.shape[-1]
    dx = torch.empty_like(x)
    parts = -(-len(moments) // PART)
    new = torch.empty if n else torch.zeros  # the kernel writes all of them
    dweight = new(d, dtype=x.dtype) if ctx.needs_input_grad[2] else None
    dbias = new(d, dtype=x.dtype) if ctx.needs_input_grad[3] else None
    partial = None
    if dweight is not None or dbias is not None:
        partial = torch.empty(parts, 2, -(-d // 16) * 16)
    if n:
        function("row_norm_backward")(
            dy.data_ptr(),
            address(dtotal),
            x.data_ptr(),
            address(weight),
            moments.data_ptr(),
            dx.data_ptr(),
            address(dweight),
            address(dbias),
            address(partial),
            n // d,
            d,
            parts,
            ctx.is_centred,
            x.dtype is torch.bfloat16,
            threads_for(n),
        )
    return dx, dweight, dbias


def _groups(
    x: Tensor,
    groups: int,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
    moments: Tensor | None,
) -> Tensor:
    y = torch.empty_like(x)
    weight, bias = dense_or_none(weight), dense_or_none(bias)
    if n := x.numel():
        function("group_norm")(
            x.data_ptr(),
            address(weight),
            address(bias),
            y.data_ptr(),
            address(moments),
            *_stretches(x, groups),
            eps,
            x.dtype is torch.bfloat16,
            threads_for(n),
        )
    return y


def _stretches(x: Tensor, groups: int) -> tuple[int, int, int, int]:
    """Return N * groups, groups, channels of a group, elements of a channel; x is not empty."""
    samples, channels = x.shape[:2]
    return samples * groups, groups, channels // groups, x.numel() // (samples * channels)


class _Groups(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, groups: int, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> Tensor:
        x = dense(x)
        moments = torch.empty(x.shape[0] * groups, 2)
        ctx.groups = groups
        ctx.save_for_backward(x, dense_or_none(weight), moments)
        return _groups(x, groups, weight, bias, eps, moments)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, moments = ctx.saved_tensors
        dy, dx, channels = dense(dy), torch.empty_like(x), x.shape[1]
        n = x.numel()
        new = torch.empty if n else torch.zeros  # the kernel writes all of them
        dweight = new(channels, dtype=x.dtype) if ctx.needs_input_grad[2] else None
        dbias = new(channels, dtype=x.dtype) if ctx.needs_input_grad[3] else None
        if n:
            partial = torch.empty(2, x.shape[0], channels)
            function("group_norm_backward")(
                dy.data_ptr(),
                x.data_ptr(),
                address(weight),
                moments.data_ptr(),
                dx.data_ptr(),
                address(dweight),
                address(dbias),
                partial.data_ptr(),
                *_stretches(x, ctx.groups),
                x.dtype is torch.bfloat16,
                threads_for(n),
            )
        return dx, None, dweight, dbias, None
