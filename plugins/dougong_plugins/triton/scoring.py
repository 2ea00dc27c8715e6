"""What the forward and the backward kernels of attention share: loads, and the score of a block."""

from __future__ import annotations

import triton
import triton.language as tl

UNMASKED, BOOLEAN, ADDED = 0, 1, 2
"""Kinds of mask."""


@triton.jit
def rows_at(ptr, at, stride, size, column, width):
    """Load rows of a matrix, zeros outside it.

    Args:
        ptr: At its first element.
        at: Rows, (N,).
        stride: Between rows, in elements.
        size: Rows there are.
        column: Columns, (C,).
        width: Columns there are.
    """
    there = (at[:, None] < size) & (column[None, :] < width)
    return tl.load(ptr + at[:, None] * stride + column[None, :], mask=there, other=0.0)


@triton.jit
def scored(
    q, k, mask_ptr, t, s, scale, T, S, mt, ms, MASK: tl.constexpr, CAUSAL: tl.constexpr
):  # fmt: skip
    """Return scale * q k^T + mask in float32, -inf where a query does not see a key.

    Args:
        q: Queries, (BT, BD).
        k: Keys, (BS, BD).
        mask_ptr: At the batch and head of the block.
        t: Positions of the queries, (BT,).
        s: Positions of the keys, (BS,).
        scale: Factor of the products.
        T: Queries there are.
        S: Keys there are.
        mt: Stride of the mask over queries.
        ms: Stride of the mask over keys.
        MASK: One of the kinds above.
        CAUSAL: Whether query t sees the keys up to t + S - T only.
    """
    score = scale * tl.dot(q, tl.trans(k), input_precision="ieee")
    there = (t[:, None] < T) & (s[None, :] < S)
    at = mask_ptr + tl.cast(t[:, None], tl.int64) * mt + tl.cast(s[None, :], tl.int64) * ms
    if MASK == 2:
        score += tl.load(at, mask=there, other=0.0).to(tl.float32)
    if MASK == 1:
        there = there & (tl.load(at, mask=there, other=0) != 0)
    if CAUSAL:
        there = there & (s[None, :] <= t[:, None] + S - T)
    return tl.where(there, score, float("-inf"))
