"""FlexAttention: exact and windowed attention.

Adapter of torch (BSD-3-Clause), versions >=2.13,<3. Differs: empty tensors give empty or zero
outputs. On the CPU FlexAttention has no gradient (pytorch/pytorch#148752), so that none is claimed.

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

WINDOW = 128
SINKS = 4
_Score = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def flex(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Attend to every visible key; blocks that causality hides are skipped.

    Args:
        q_BHTD: Queries, shape (B, H, T, D).
        k_BKSD: Keys, shape (B, K, S, D), K a divisor of H.
        v_BKSD: Values, shape (B, K, S, D).
        mask: Broadcastable to (B, H, T, S). Boolean: True = seen; floating point: added.
        is_causal: Query i sees keys j <= i + S - T only; applies besides `mask`.
        scale: Factor of the products; 1 / sqrt(D) if None.

    Returns:
        Shape (B, H, T, D); zeros for a query that sees no key.
    """
    sizes = (q_BHTD.shape[2], k_BKSD.shape[2], q_BHTD.device)
    blocks = _causal(*sizes) if is_causal and q_BHTD.numel() else None
    return _run(q_BHTD, k_BKSD, v_BKSD, _reader(mask), blocks, scale)


def flex_window(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Attend to the keys less than 128 positions away and to the first four: arguments as `flex`.

    The last query is aligned with the last key. Blocks of 128 keys that hold none of these are
    never read.
    """
    sizes = (q_BHTD.shape[2], k_BKSD.shape[2], is_causal, q_BHTD.device)
    blocks = _near(*sizes) if q_BHTD.numel() else None
    return _run(q_BHTD, k_BKSD, v_BKSD, _reader(mask), blocks, scale)


@functools.lru_cache(maxsize=64)
def _causal(T: int, S: int, device: torch.device) -> BlockMask:
    def seen(b: Tensor, h: Tensor, t: Tensor, s: Tensor) -> Tensor:
        return s <= t + (S - T)

    return create_block_mask(seen, None, None, T, S, device=device)


@functools.lru_cache(maxsize=64)
def _near(T: int, S: int, is_causal: bool, device: torch.device) -> BlockMask:
    def seen(b: Tensor, h: Tensor, t: Tensor, s: Tensor) -> Tensor:
        at = t + (S - T)
        near = ((at - s).abs() < WINDOW) | (s < SINKS)
        return near & (s <= at) if is_causal else near

    return create_block_mask(seen, None, None, T, S, device=device)


def _reader(mask: Tensor | None) -> _Score | None:
    """Return the change of a score by the caller's mask."""
    if mask is None:
        return None
    full = mask[(None,) * (4 - mask.ndim)]
    b1, h1, t1, s1 = (int(size > 1) for size in full.shape)
    is_boolean = full.dtype == torch.bool

    def change(score: Tensor, b: Tensor, h: Tensor, t: Tensor, s: Tensor) -> Tensor:
        found = full[b * b1, h * h1, t * t1, s * s1]
        return torch.where(found, score, -torch.inf) if is_boolean else score + found

    return change


@functools.cache
def _compiled() -> Any:
    # One function for every shape: without isolation torch would stop compiling after eight.
    return torch.compile(flex_attention, dynamic=False, isolate_recompiles=True)  # type: ignore[call-overload]  # torch's overloads lack it


def _run(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    change: _Score | None,
    blocks: BlockMask | None,
    scale: float | None,
) -> Tensor:
    if not q.numel() or not k.numel():
        return torch.zeros_like(q)
    with torch.no_grad():
        out: Tensor = _compiled()(
            q.contiguous(),
            k.contiguous(),
            v.contiguous(),
            score_mod=change,
            block_mask=blocks,
            scale=scale,
            enable_gqa=q.shape[1] != k.shape[1],
        )
    return out
