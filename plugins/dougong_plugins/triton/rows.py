"""RMSNorm and LayerNorm in Triton, forward and backward.

Papers: Zhang & Sennrich, 2019, arXiv:1910.07467, eq. 4; Ba, Kiros & Hinton, 2016, arXiv:1607.06450,
eq. 4. Definitions: `dougong_plugins.norm.rms`, `dougong_plugins.norm.layer`.

A program reads a row once and keeps it in registers. With n = (x - m) r the normed row and
h = dy * weight, both norms have dx = r (h - mean(h) - n mean(h n)), m and mean(h) being 0 for the
RMS norm. Statistics and sums are float32.

Shape suffixes: N = rows, D = features, G = programs that sum the gradient of the weight.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from dougong_plugins.triton.launching import check

_MOST_FEATURES = 65536
_PROGRAMS = 128


@triton.jit
def _forward(
    x_ptr, w_ptr, b_ptr, y_ptr, m_ptr, r_ptr, D, eps,
    CENTRED: tl.constexpr, WEIGHT: tl.constexpr, BIAS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    there = column < D
    x = tl.load(x_ptr + row * D + column, mask=there, other=0.0).to(tl.float32)
    if CENTRED:
        mean = tl.sum(x, axis=0) / D
        x = tl.where(there, x - mean, 0.0)
        tl.store(m_ptr + row, mean)
    r = 1.0 / tl.sqrt(tl.sum(x * x, axis=0) / D + eps)
    tl.store(r_ptr + row, r)
    y = x * r
    if WEIGHT:
        y = y * tl.load(w_ptr + column, mask=there, other=0.0).to(tl.float32)
    if BIAS:
        y = y + tl.load(b_ptr + column, mask=there, other=0.0).to(tl.float32)
    tl.store(y_ptr + row * D + column, y, mask=there)


@triton.jit
def _backward(
    x_ptr, w_ptr, dy_ptr, dx_ptr, m_ptr, r_ptr, dw_ptr, db_ptr, N, D,
    CENTRED: tl.constexpr, WEIGHT: tl.constexpr, BIAS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    there = column < D
    dw = tl.zeros((BLOCK,), tl.float32)
    db = tl.zeros((BLOCK,), tl.float32)
    for i in range(program, N, tl.num_programs(0)):
        row = tl.cast(i, tl.int64)
        x = tl.load(x_ptr + row * D + column, mask=there, other=0.0).to(tl.float32)
        dy = tl.load(dy_ptr + row * D + column, mask=there, other=0.0).to(tl.float32)
        if CENTRED:
            x = tl.where(there, x - tl.load(m_ptr + row), 0.0)
        r = tl.load(r_ptr + row)
        n = x * r
        h = dy
        if WEIGHT:
            h = dy * tl.load(w_ptr + column, mask=there, other=0.0).to(tl.float32)
            dw += dy * n
        if BIAS:
            db += dy
        dx = h - n * (tl.sum(h * n, axis=0) / D)
        if CENTRED:
            dx = dx - tl.sum(h, axis=0) / D
        tl.store(dx_ptr + row * D + column, dx * r, mask=there)
    if WEIGHT:
        tl.store(dw_ptr + program * D + column, dw, mask=there)
    if BIAS:
        tl.store(db_ptr + program * D + column, db, mask=there)


class _RowsNorm(torch.autograd.Function):
    """A norm of rows with an optional gain and offset."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, centred: bool
    ) -> Tensor:
        """Return the normed rows and keep what backward needs."""
        x_ND = x.contiguous().view(-1, x.shape[-1])
        N, D = x_ND.shape
        weight_D, bias_D = (None if w is None else w.contiguous() for w in (weight, bias))
        y_ND = torch.empty_like(x_ND)
        mean_N, scale_N = (x.new_empty(N, dtype=torch.float32) for _ in range(2))
        flags = (centred, weight is not None, bias is not None, triton.next_power_of_2(D))
        if x_ND.numel():
            _forward[(N,)](
                x_ND, weight_D, bias_D, y_ND, mean_N, scale_N, D, eps, *flags, num_warps=_warps(D)
            )
        ctx.save_for_backward(x_ND, weight_D, mean_N, scale_N)
        ctx.flags = flags
        return y_ND.view(x.shape)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]  # torch types it for any arguments
        """Return the gradients of input, gain and offset."""
        x_ND, weight_D, mean_N, scale_N = ctx.saved_tensors
        N, D = x_ND.shape
        dy_ND = dy.contiguous().view(N, D)
        dx_ND = torch.empty_like(x_ND)
        G = max(1, min(N, _PROGRAMS))
        dw_GD, db_GD = (x_ND.new_zeros(G, D, dtype=torch.float32) for _ in range(2))
        if x_ND.numel():
            _backward[(G,)](
                x_ND, weight_D, dy_ND, dx_ND, mean_N, scale_N, dw_GD, db_GD, N, D,
                *ctx.flags, num_warps=_warps(D),
            )  # fmt: skip
        _, has_weight, has_bias, _ = ctx.flags
        dw = dw_GD.sum(0).to(x_ND.dtype) if has_weight else None
        db = db_GD.sum(0).to(x_ND.dtype) if has_bias else None
        return dx_ND.view(dy.shape), dw, db, None, None


def _warps(D: int) -> int:
    return 4 if D <= 2048 else 8 if D <= 8192 else 16


def rms_norm(x_XD: Tensor, weight_D: Tensor | None = None, *, eps: float = 1e-6) -> Tensor:
    """`dougong_plugins.norm.rms.rms_norm` as one kernel: arguments and result as there.

    Raises:
        TypeError: the dtype is none of float32, bfloat16, float16, or weight differs from it.
        ValueError: not on a CUDA device, or more than 65,536 features.
    """
    if torch.compiler.is_compiling():
        return torch.nn.functional.rms_norm(x_XD, x_XD.shape[-1:], weight_D, eps)
    return _normed(x_XD, weight_D, None, eps, centred=False)


def layer_norm(
    x_XD: Tensor, weight_D: Tensor | None = None, bias_D: Tensor | None = None, *, eps: float = 1e-5
) -> Tensor:
    """`dougong_plugins.norm.layer.layer_norm` as one kernel: arguments and result as there.

    Raises:
        TypeError: the dtype is none of float32, bfloat16, float16, or weight or bias differ.
        ValueError: not on a CUDA device, or more than 65,536 features.
    """
    if torch.compiler.is_compiling():
        return torch.nn.functional.layer_norm(x_XD, x_XD.shape[-1:], weight_D, bias_D, eps)
    return _normed(x_XD, weight_D, bias_D, eps, centred=True)


def _normed(
    x_XD: Tensor, weight_D: Tensor | None, bias_D: Tensor | None, eps: float, *, centred: bool
) -> Tensor:
    check(x_XD, weight_D, bias_D)
    if x_XD.shape[-1] > _MOST_FEATURES:
        raise ValueError(f"features must be at most {_MOST_FEATURES}, got {x_XD.shape[-1]}")
    y_XD: Tensor = _RowsNorm.apply(x_XD, weight_D, bias_D, eps, centred)  # type: ignore[no-untyped-call]  # torch does not annotate it
    return y_XD
