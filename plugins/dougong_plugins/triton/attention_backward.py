"""Gradients of exact attention in Triton.

Paper: Dao, "FlashAttention-2", 2023, arXiv:2307.08691, alg. 2. With P the weights, dP = dO V^T and
delta = sum(dO * O) a query: dV = P^T dO, dS = P * (dP - delta), dQ = scale dS K, dK = scale dS^T Q.
One kernel goes over the keys for a block of queries, another over the queries for a block of keys,
so that no two programs write to one place. Everything is float32.
Gradients of grouped heads are summed afterwards.

Shape suffixes as in `dougong_plugins.triton.attention`.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from dougong_plugins.triton.launching import rows_last
from dougong_plugins.triton.scoring import ADDED, BOOLEAN, UNMASKED, rows_at, scored

_BLOCK = 32


@triton.jit
def _wide(ptr, at, stride, size, column, width):
    """Load rows as float32."""
    return rows_at(ptr, at, stride, size, column, width).to(tl.float32)


@triton.jit
def _queries(
    q_ptr, k_ptr, v_ptr, mask_ptr, do_ptr, lse_ptr, delta_ptr, dq_ptr,
    scale, H, group, T, S, D, V,
    qb, qh, qt, kb, kh, ks, vb, vh, vs, mb, mh, mt, ms,
    MASK: tl.constexpr, CAUSAL: tl.constexpr,
    BLOCK: tl.constexpr, BD: tl.constexpr, BV: tl.constexpr,
):  # fmt: skip
    block, head = tl.program_id(0), tl.program_id(1)
    b, h = tl.cast(head // H, tl.int64), tl.cast(head % H, tl.int64)
    t = block * BLOCK + tl.arange(0, BLOCK)
    d, e = tl.arange(0, BD), tl.arange(0, BV)
    rows = tl.cast(head, tl.int64) * T
    q = _wide(q_ptr + b * qb + h * qh, t, qt, T, d, D)
    do = _wide(do_ptr + rows * V, t, V, T, e, V)
    lse = tl.load(lse_ptr + rows + t, mask=t < T, other=0.0)
    delta = tl.load(delta_ptr + rows + t, mask=t < T, other=0.0)
    dq = tl.zeros((BLOCK, BD), tl.float32)
    seen = S
    if CAUSAL:
        seen = tl.maximum(tl.minimum(S, (block + 1) * BLOCK + S - T), 0)
    for j in range(0, tl.cdiv(seen, BLOCK)):
        s = j * BLOCK + tl.arange(0, BLOCK)
        k = _wide(k_ptr + b * kb + (h // group) * kh, s, ks, S, d, D)
        v = _wide(v_ptr + b * vb + (h // group) * vh, s, vs, S, e, V)
        score = scored(q, k, mask_ptr + b * mb + h * mh, t, s, scale, T, S, mt, ms, MASK, CAUSAL)
        dp = tl.dot(do, tl.trans(v), input_precision="ieee")
        ds = tl.exp(score - lse[:, None]) * (dp - delta[:, None])
        dq += tl.dot(ds, k, input_precision="ieee")
    there = (t[:, None] < T) & (d[None, :] < D)
    tl.store(dq_ptr + (rows + t[:, None]) * D + d[None, :], dq * scale, mask=there)


@triton.jit
def _keys(
    q_ptr, k_ptr, v_ptr, mask_ptr, do_ptr, lse_ptr, delta_ptr, dk_ptr, dv_ptr,
    scale, H, group, T, S, D, V,
    qb, qh, qt, kb, kh, ks, vb, vh, vs, mb, mh, mt, ms,
    MASK: tl.constexpr, CAUSAL: tl.constexpr,
    BLOCK: tl.constexpr, BD: tl.constexpr, BV: tl.constexpr,
):  # fmt: skip
    block, head = tl.program_id(0), tl.program_id(1)
    b, h = tl.cast(head // H, tl.int64), tl.cast(head % H, tl.int64)
    s = block * BLOCK + tl.arange(0, BLOCK)
    d, e = tl.arange(0, BD), tl.arange(0, BV)
    rows = tl.cast(head, tl.int64) * T
    k = _wide(k_ptr + b * kb + (h // group) * kh, s, ks, S, d, D)
    v = _wide(v_ptr + b * vb + (h // group) * vh, s, vs, S, e, V)
    dk = tl.zeros((BLOCK, BD), tl.float32)
    dv = tl.zeros((BLOCK, BV), tl.float32)
    first = 0
    if CAUSAL:  # the first query that sees the block's first key
        first = tl.maximum(block * BLOCK - (S - T), 0) // BLOCK
    for i in range(first, tl.cdiv(T, BLOCK)):
        t = i * BLOCK + tl.arange(0, BLOCK)
        q = _wide(q_ptr + b * qb + h * qh, t, qt, T, d, D)
        do = _wide(do_ptr + rows * V, t, V, T, e, V)
        lse = tl.load(lse_ptr + rows + t, mask=t < T, other=0.0)
        delta = tl.load(delta_ptr + rows + t, mask=t < T, other=0.0)
        score = scored(q, k, mask_ptr + b * mb + h * mh, t, s, scale, T, S, mt, ms, MASK, CAUSAL)
        weight = tl.exp(score - lse[:, None])
        dv += tl.dot(tl.trans(weight), do, input_precision="ieee")
        dp = tl.dot(do, tl.trans(v), input_precision="ieee")
        ds = weight * (dp - delta[:, None])
        dk += tl.dot(tl.trans(ds), q, input_precision="ieee")
    rows = tl.cast(head, tl.int64) * S + s[:, None]
    tl.store(dk_ptr + rows * D + d[None, :], dk * scale, mask=(s[:, None] < S) & (d[None, :] < D))
    tl.store(dv_ptr + rows * V + e[None, :], dv, mask=(s[:, None] < S) & (e[None, :] < V))


def gradients(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSV: Tensor,
    mask: Tensor | None,
    out_BHTV: Tensor,
    lse_BHT: Tensor,
    dout_BHTV: Tensor,
    is_causal: bool,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of q, k and v, summed over the queries' heads of each key head."""
    B, H, T, D = q_BHTD.shape
    K, S, V = k_BKSD.shape[1], k_BKSD.shape[2], v_BKSV.shape[3]
    dout = dout_BHTV.contiguous()
    delta_BHT = (dout.float() * out_BHTV.float()).sum(-1)
    dq = q_BHTD.new_zeros(B, H, T, D)
    dk, dv = (q_BHTD.new_zeros(B, H, S, size, dtype=torch.float32) for size in (D, V))
    if B * H * T * S:
        q, k, v = rows_last(q_BHTD), rows_last(k_BKSD), rows_last(v_BKSV)
        full = q.new_empty(0) if mask is None else mask.expand(B, H, T, S)
        strides = (0, 0, 0, 0) if mask is None else full.stride()
        read = (
            q, k, v, full.view(torch.int8) if full.dtype == torch.bool else full,
            dout, lse_BHT, delta_BHT,
        )  # fmt: skip
        sizes = (scale, H, H // K, T, S, D, V)
        steps = (*q.stride()[:3], *k.stride()[:3], *v.stride()[:3], *strides)
        kinds = {
            "MASK": UNMASKED if mask is None else BOOLEAN if mask.dtype == torch.bool else ADDED,
            "CAUSAL": is_causal,
            "BLOCK": _BLOCK,
            "BD": max(16, triton.next_power_of_2(D)),
            "BV": max(16, triton.next_power_of_2(V)),
        }
        _queries[(triton.cdiv(T, _BLOCK), B * H)](*read, dq, *sizes, *steps, **kinds)
        _keys[(triton.cdiv(S, _BLOCK), B * H)](*read, dk, dv, *sizes, *steps, **kinds)
    dk, dv = (x.view(B, K, H // K, S, -1).sum(2).to(q_BHTD.dtype) for x in (dk, dv))
    return dq, dk, dv
