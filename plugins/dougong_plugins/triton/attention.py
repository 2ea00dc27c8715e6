"""Exact and block-sparse attention in Triton: one pass over the keys, no matrix of T * S.

Papers: Dao et al., "FlashAttention", 2022, arXiv:2205.14135, alg. 1; Dao, "FlashAttention-2", 2023,
arXiv:2307.08691 (a program a block of queries). Definitions: `dougong_plugins.attention.standard`,
`sparse_topk_reference`. Products of float32 are never taken in TF32, because the contract is exact;
sums are float32. In low precision the weights are rounded before they meet the values, as torch
does; only where Triton interprets bfloat16, whose products it cannot take, all is float32.

The softmax is taken on line: with m the largest score so far, l the sum of exp(score - m) and acc
the weighted values, a block of keys moves m to m' and scales l and acc by exp(m - m'). Backward
(`attention_backward`) takes the weights again from the log-sum-exp.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size of
queries and keys, V = of values, N = blocks of queries, J = blocks of keys chosen.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from dougong_plugins.attention import sparse_topk
from dougong_plugins.attention.torch_sdpa import torch_sdpa
from dougong_plugins.triton.attention_backward import gradients
from dougong_plugins.triton.launching import check, interpreted, rows_last
from dougong_plugins.triton.scoring import ADDED, BOOLEAN, UNMASKED, rows_at, scored

_QUERIES = 64
_KEYS = 32


@triton.jit
def _forward(
    q_ptr, k_ptr, v_ptr, mask_ptr, chosen_ptr, out_ptr, lse_ptr,
    scale, H, group, T, S, D, V, J,
    qb, qh, qt, kb, kh, ks, vb, vh, vs, mb, mh, mt, ms,
    MASK: tl.constexpr, CAUSAL: tl.constexpr, SPARSE: tl.constexpr, WIDE: tl.constexpr,
    BT: tl.constexpr, BS: tl.constexpr, BD: tl.constexpr, BV: tl.constexpr,
):  # fmt: skip
    block, head = tl.program_id(0), tl.program_id(1)
    b, h = tl.cast(head // H, tl.int64), tl.cast(head % H, tl.int64)
    t = block * BT + tl.arange(0, BT)
    d, e = tl.arange(0, BD), tl.arange(0, BV)
    q_ptr += b * qb + h * qh
    q = rows_at(q_ptr, t, qt, T, d, D)
    q = q.to(tl.float32) if WIDE else q
    k_ptr += b * kb + (h // group) * kh
    v_ptr += b * vb + (h // group) * vh
    mask_ptr += b * mb + h * mh
    most = tl.full((BT,), float("-inf"), tl.float32)
    total = tl.zeros((BT,), tl.float32)
    acc = tl.zeros((BT, BV), tl.float32)
    seen = S
    if CAUSAL:
        seen = tl.maximum(tl.minimum(S, (block + 1) * BT + S - T), 0)
    count = J if SPARSE else tl.cdiv(seen, BS)
    for j in range(0, count):
        start = j * BS
        if SPARSE:
            start = tl.load(chosen_ptr + (head * tl.num_programs(0) + block) * J + j) * BS
        s = start + tl.arange(0, BS)
        k = rows_at(k_ptr, s, ks, S, d, D)
        k = k.to(tl.float32) if WIDE else k
        score = scored(q, k, mask_ptr, t, s, scale, T, S, mt, ms, MASK, CAUSAL)
        larger = tl.maximum(most, tl.max(score, axis=1))
        # A query that has seen no key yet keeps -inf, and must not subtract it from itself.
        base = tl.where(larger == float("-inf"), 0.0, larger)
        weight = tl.exp(score - base[:, None])
        shrink = tl.exp(most - base)
        total = total * shrink + tl.sum(weight, axis=1)
        v = rows_at(v_ptr, s, vs, S, e, V)
        v = v.to(tl.float32) if WIDE else v
        acc = acc * shrink[:, None] + tl.dot(weight.to(v.dtype), v, input_precision="ieee")
        most = larger
    blind = total == 0.0
    acc = acc / tl.where(blind, 1.0, total)[:, None]
    row = head.to(tl.int64) * T + t
    tl.store(out_ptr + row[:, None] * V + e[None, :], acc, mask=(t[:, None] < T) & (e[None, :] < V))
    # Of a query that sees nothing every weight must come out as 0 again: exp(-inf - 0).
    lse = tl.where(blind, 0.0, most + tl.log(tl.where(blind, 1.0, total)))
    tl.store(lse_ptr + row, lse, mask=t < T)


class _Attention(torch.autograd.Function):
    """Exact attention with the gradients of queries, keys and values."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, causal: bool, scale: float
    ) -> Tensor:
        """Return the output and keep the log-sum-exp of every query."""
        out, lse = _attend(q, k, v, mask, None, causal, scale)
        ctx.save_for_backward(q, k, v, mask, out, lse)
        ctx.settings = (causal, scale)
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]  # torch types it for any arguments
        """Return the gradients of q, k and v; a mask has none."""
        q, k, v, mask, out, lse = ctx.saved_tensors
        causal, scale = ctx.settings
        return (*gradients(q, k, v, mask, out, lse, dout, causal, scale), None, None, None)


def _attend(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSV: Tensor,
    mask: Tensor | None,
    chosen_BHNJ: Tensor | None,
    is_causal: bool,
    scale: float,
) -> tuple[Tensor, Tensor]:
    """Return the output, (B, H, T, V), and the log-sum-exp in float32, (B, H, T)."""
    B, H, T, D = q_BHTD.shape
    K, S, V = k_BKSD.shape[1], k_BKSD.shape[2], v_BKSV.shape[3]
    out_BHTV = q_BHTD.new_empty(B, H, T, V)
    lse_BHT = q_BHTD.new_empty(B, H, T, dtype=torch.float32)
    if not out_BHTV.numel():
        return out_BHTV, lse_BHT
    q, k, v = rows_last(q_BHTD), rows_last(k_BKSD), rows_last(v_BKSV)
    bt, bs = (_QUERIES, _KEYS) if chosen_BHNJ is None else _sparse_blocks(T)
    full = q.new_empty(0) if mask is None else mask.expand(B, H, T, S)
    strides = (0, 0, 0, 0) if mask is None else full.stride()
    _forward[(triton.cdiv(T, bt), B * H)](
        q, k, v, full.view(torch.int8) if full.dtype == torch.bool else full,
        q if chosen_BHNJ is None else chosen_BHNJ.contiguous(), out_BHTV, lse_BHT,
        scale, H, H // K, T, S, D, V, 0 if chosen_BHNJ is None else chosen_BHNJ.shape[-1],
        *q.stride()[:3], *k.stride()[:3], *v.stride()[:3], *strides,
        MASK=UNMASKED if mask is None else BOOLEAN if mask.dtype == torch.bool else ADDED,
        CAUSAL=is_causal, SPARSE=chosen_BHNJ is not None,
        WIDE=interpreted() and q.dtype == torch.bfloat16,
        BT=bt, BS=bs, BD=_padded(D), BV=_padded(V),
        num_warps=4, num_stages=2,
    )  # fmt: skip
    return out_BHTV, lse_BHT


def _padded(size: int) -> int:
    return max(16, int(triton.next_power_of_2(size)))


def _sparse_blocks(T: int) -> tuple[int, int]:
    return max(16, min(sparse_topk.QUERY_BLOCK, triton.next_power_of_2(T))), sparse_topk.KEY_BLOCK


def attention(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """`dougong_plugins.attention.standard.standard` block by block: arguments and result as there.

    The mask gets no gradient. Inside an outer `torch.compile` torch's own kernel is traced instead.

    Raises:
        TypeError: the dtype is none of float32, bfloat16, float16, or they differ.
        ValueError: not on a CUDA device, or K does not divide H.
    """
    if torch.compiler.is_compiling():
        return torch_sdpa(q_BHTD, k_BKSD, v_BKSD, mask=mask, is_causal=is_causal, scale=scale)
    _check(q_BHTD, k_BKSD, v_BKSD)
    scale = 1 / math.sqrt(q_BHTD.shape[-1]) if scale is None else scale
    out: Tensor = _Attention.apply(q_BHTD, k_BKSD, v_BKSD, mask, is_causal, scale)  # type: ignore[no-untyped-call]  # torch does not annotate it
    return out


def block_sparse(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    keep: float = sparse_topk.KEEP,
) -> Tensor:
    """`dougong_plugins.attention.sparse_topk.sparse_topk` without gathering keys: as there.

    The blocks are chosen alike; a program then reads those of its queries and no others. Forward
    only.

    Raises:
        TypeError: the dtype is none of float32, bfloat16, float16, or they differ.
        ValueError: not on a CUDA device, K does not divide H, or `keep` is not in (0, 1].
    """
    _check(q_BHTD, k_BKSD, v_BKSD)
    scale = 1 / math.sqrt(q_BHTD.shape[-1]) if scale is None else scale
    chosen_BHNJ = sparse_topk.chosen_blocks(q_BHTD, k_BKSD, mask, is_causal=is_causal, keep=keep)
    with torch.no_grad():
        return _attend(q_BHTD, k_BKSD, v_BKSD, mask, chosen_BHNJ, is_causal, scale)[0]


def _check(q_BHTD: Tensor, k_BKSD: Tensor, v_BKSD: Tensor) -> None:
    check(q_BHTD, k_BKSD, v_BKSD)
    if q_BHTD.shape[1] % k_BKSD.shape[1]:
        raise ValueError(
            f"key heads must divide the {q_BHTD.shape[1]} query heads, got {k_BKSD.shape[1]}"
        )
