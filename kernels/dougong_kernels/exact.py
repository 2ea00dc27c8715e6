"""Exact attention on the CPU, forward, backward and decoding.

Papers: Dao et al., "FlashAttention", 2022, arXiv:2205.14135 (tiles, and the gradients from the
sums of weights); Dao et al., "Flash-Decoding for long-context inference", 2023 (keys split over
threads). Definition: `dougong_kernels.definition`.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size,
E = size of a value, P = parts of the keys.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dougong_kernels import library
from dougong_kernels.definition import by_torch, groups_of, scale_of

DECODE_QUERIES = 4
"""Most queries per head that are bound by reading the keys rather than by the products."""
PART_KEYS = 1024
"""Fewest keys of a decoded part; how a result is split never depends on the number of threads."""


def attention(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSE: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """`dougong_kernels.definition.attention`: arguments as there.

    A mask, a dtype other than float32 and bfloat16, another device or an install without the
    library go to torch's own kernel.

    Raises:
        ValueError: K does not divide H, or the shapes of keys, values and queries do not fit.
    """
    check_shapes(q_BHTD, k_BKSD, v_BKSE)
    if mask is not None or not can_run(q_BHTD, k_BKSD, v_BKSE):
        return by_torch(q_BHTD, k_BKSD, v_BKSE, mask=mask, is_causal=is_causal, scale=scale)
    factor = scale_of(q_BHTD, scale)
    if needs_gradient(q_BHTD, k_BKSD, v_BKSE):
        return _Exact.apply(q_BHTD, k_BKSD, v_BKSE, is_causal, factor)  # type: ignore[no-any-return, no-untyped-call]  # torch leaves Function.apply untyped
    q_BHTD, k_BKSD, v_BKSE = (dense_rows(each) for each in (q_BHTD, k_BKSD, v_BKSE))
    if q_BHTD.shape[2] <= DECODE_QUERIES:
        return _decoded(q_BHTD, k_BKSD, v_BKSE, is_causal, factor)
    return _forward(q_BHTD, k_BKSD, v_BKSE, is_causal, factor, None)


def can_run(*tensors: Tensor) -> bool:
    """Say whether the kernels take these tensors and there are kernels."""
    dtype = tensors[0].dtype
    return (
        dtype in (torch.float32, torch.bfloat16)
        and all(each.dtype == dtype and each.device.type == "cpu" for each in tensors)
        and library.kernels() is not None
    )


def check_shapes(q_BHTD: Tensor, k_BKSD: Tensor, v_BKSE: Tensor) -> None:
    """Refuse shapes that do not fit.

    Raises:
        ValueError: they do not; the message names the shapes.
    """
    shapes = [tuple(each.shape) for each in (q_BHTD, k_BKSD, v_BKSE)]
    if any(len(shape) != 4 for shape in shapes):
        raise ValueError(f"q, k and v must have 4 dimensions, got shapes {shapes}")
    q, k, v = shapes
    if q[0] != k[0] or q[3] != k[3] or k[:3] != v[:3]:
        raise ValueError(
            f"q, k and v must be (B, H, T, D), (B, K, S, D), (B, K, S, E), got {shapes}"
        )
    groups_of(q_BHTD, k_BKSD)


def needs_gradient(*tensors: Tensor) -> bool:
    """Say whether autograd follows any of them."""
    return torch.is_grad_enabled() and any(each.requires_grad for each in tensors)


def dense_rows(tensor: Tensor) -> Tensor:
    """Return the tensor with its last dimension dense, copied only if it is not."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()


def _forward(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSE: Tensor,
    is_causal: bool,
    scale: float,
    lse_BHT: Tensor | None,
) -> Tensor:
    out_BHTE = q_BHTD.new_empty(*q_BHTD.shape[:3], v_BKSE.shape[-1])
    if out_BHTE.numel():
        found = library.kernels()
        assert found is not None  # noqa: S101 - `can_run` asked
        found.attention(
            library.described(
                q_BHTD, k_BKSD, v_BKSE, out_BHTE, is_causal=is_causal, scale=scale, lse_BHT=lse_BHT
            )
        )
    return out_BHTE


def _decoded(
    q_BHTD: Tensor, k_BKSD: Tensor, v_BKSE: Tensor, is_causal: bool, scale: float
) -> Tensor:
    out_BHTE = q_BHTD.new_empty(*q_BHTD.shape[:3], v_BKSE.shape[-1])
    if out_BHTE.numel() == 0:
        return out_BHTE
    found = library.kernels()
    assert found is not None  # noqa: S101 - `can_run` asked
    arguments = library.described(
        q_BHTD, k_BKSD, v_BKSE, out_BHTE, is_causal=is_causal, scale=scale
    )
    parts = max(1, min(64, math.ceil(k_BKSD.shape[2] / PART_KEYS)))
    partial_BHTP = torch.empty(*out_BHTE.shape[:3], parts, out_BHTE.shape[-1] + 2)
    arguments.parts, arguments.scratch = parts, partial_BHTP.data_ptr()
    found.decode(arguments)
    return out_BHTE


class _Exact(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, q_BHTD: Tensor, k_BKSD: Tensor, v_BKSE: Tensor, is_causal: bool, scale: float
    ) -> Tensor:
        q_BHTD, k_BKSD, v_BKSE = (dense_rows(each) for each in (q_BHTD, k_BKSD, v_BKSE))
        lse_BHT = torch.empty(q_BHTD.shape[:3])
        out_BHTE = _forward(q_BHTD, k_BKSD, v_BKSE, is_causal, scale, lse_BHT)
        ctx.save_for_backward(q_BHTD, k_BKSD, v_BKSE, out_BHTE, lse_BHT)
        ctx.is_causal, ctx.scale = is_causal, scale
        return out_BHTE

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout_BHTE: Tensor) -> tuple[Tensor | None, ...]:
        q_BHTD, k_BKSD, v_BKSE, out_BHTE, lse_BHT = ctx.saved_tensors
        dout_BHTE = dout_BHTE.contiguous()
        # Few heads leave threads idle: then the queries of a head are split, each share of them
        # with gradients of its own, which are added up afterwards.
        tasks = k_BKSD.shape[0] * k_BKSD.shape[1]
        splits = max(1, math.ceil(torch.get_num_threads() / max(1, tasks)))
        dq = torch.zeros(q_BHTD.shape)
        dk, dv = (torch.zeros(splits, *each.shape) for each in (k_BKSD, v_BKSE))
        if out_BHTE.numel() and k_BKSD.shape[2]:
            found = library.kernels()
            assert found is not None  # noqa: S101 - the forward pass asked
            forward = library.described(
                q_BHTD,
                k_BKSD,
                v_BKSE,
                out_BHTE,
                is_causal=ctx.is_causal,
                scale=ctx.scale,
                lse_BHT=lse_BHT,
            )
            found.backward(
                library.AttentionBackward(
                    forward=forward,
                    dout=dout_BHTE.data_ptr(),
                    dq=dq.data_ptr(),
                    dk=dk.data_ptr(),
                    dv=dv.data_ptr(),
                    splits=splits,
                )
            )
        dk, dv = dk.sum(0).mul_(ctx.scale), dv.sum(0)
        return dq.to(q_BHTD.dtype), dk.to(k_BKSD.dtype), dv.to(v_BKSE.dtype), None, None
