"""Attention within a window, and to the first few keys.

Papers: Beltagy, Peters & Cohan, "Longformer: The Long-Document Transformer", 2020,
arXiv:2004.05150, sec. 3.1 (window); Xiao et al., "Efficient Streaming Language Models with
Attention Sinks", 2023, arXiv:2309.17453, sec. 3.2 (first keys).

Shape suffixes: B = batch, H = query heads, K = key heads, T = queries, S = keys, D = head size,
N = blocks of queries, C = queries of a block, L = keys of a block.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dougong_plugins.attention.gathered import attend_at
from dougong_plugins.attention.standard import standard
from dougong_plugins.attention.torch_sdpa import torch_sdpa
from dougong_plugins.attention.visibility import causal_mask

WINDOW = 128
SINKS = 4
BLOCK = 64


def window_mask(
    T: int, S: int, *, is_causal: bool, window: int, sinks: int, device: torch.device
) -> Tensor:
    """Return which key each query sees, boolean (T, S), before any mask of the caller."""
    query_T1 = torch.arange(T, device=device).unsqueeze(1) + (S - T)
    key_S = torch.arange(S, device=device)
    near_TS = (query_T1 - key_S).abs() < window
    seen_TS = near_TS | (key_S < sinks)
    return seen_TS & causal_mask(T, S, device) if is_causal else seen_TS


def sliding_window_reference(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    window: int = WINDOW,
    sinks: int = SINKS,
) -> Tensor:
    """`sliding_window` by `standard` under a mask of T * S; the definition."""
    T, S = q_BHTD.shape[2], k_BKSD.shape[2]
    seen_TS = window_mask(
        T, S, is_causal=is_causal, window=window, sinks=sinks, device=q_BHTD.device
    )
    if mask is None or mask.dtype == torch.bool:
        merged = seen_TS if mask is None else seen_TS & mask
    else:
        merged = mask.masked_fill(~seen_TS, -torch.inf)
    return standard(q_BHTD, k_BKSD, v_BKSD, mask=merged, scale=scale)


def sliding_window(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    window: int = WINDOW,
    sinks: int = SINKS,
) -> Tensor:
    """Attend exactly, but only to near keys and to the first ones.

    Query i stands at key position p = i + S - T. It sees key j when |p - j| < window or j < sinks
    (and j <= p under `is_causal`). Work and memory are T * (window + sinks), twice that where not
    causal; nothing outside is read. Against full attention the result is an approximation whose
    error depends on how much weight lies outside, and does not shrink with anything but `window`.

    Args:
        q_BHTD: Queries, shape (B, H, T, D).
        k_BKSD: Keys, shape (B, K, S, D), K a divisor of H.
        v_BKSD: Values, shape (B, K, S, Dv).
        mask: As in `standard`; applies besides the window.
        is_causal: As in `standard`.
        scale: As in `standard`.
        window: Keys on one side that a query sees, itself included; in keys, >= 1.
        sinks: First keys that every query sees; in keys, >= 0.

    Returns:
        Shape (B, H, T, Dv), dtype of `q_BHTD`; zeros for a query that sees no key.

    Raises:
        ValueError: `window` or `sinks` is too small.
    """
    if window < 1 or sinks < 0:
        raise ValueError(f"window must be >= 1 and sinks >= 0, got {window} and {sinks}")
    T, S = q_BHTD.shape[2], k_BKSD.shape[2]
    C = min(BLOCK, T)
    reach = window - 1
    L = C + (1 if is_causal else 2) * reach + sinks
    if T == 0 or (window >= S and T <= S) or q_BHTD.numel() == 0:
        return torch_sdpa(q_BHTD, k_BKSD, v_BKSD, mask=mask, is_causal=is_causal, scale=scale)
    if S <= L:  # nothing to skip
        return _masked(q_BHTD, k_BKSD, v_BKSD, mask, is_causal, scale, window, sinks)
    device = q_BHTD.device
    N = -(-T // C)
    query_NC = torch.arange(N * C, device=device).view(N, C) + (S - T)
    near_NL = query_NC[:, :1] - reach + torch.arange(L - sinks, device=device)
    sink_NL = torch.arange(sinks, device=device).expand(N, sinks)
    key_NL = torch.cat((sink_NL, near_NL), dim=1)
    distance_NCL = query_NC.unsqueeze(2) - key_NL.unsqueeze(1)
    is_sink_L = torch.arange(L, device=device) < sinks
    # A first key inside the window is taken as a sink, not twice.
    near_NCL = (distance_NCL.abs() < window) & (key_NL >= sinks).unsqueeze(1)
    seen_NCL = torch.where(is_sink_L, torch.ones_like(near_NCL), near_NCL)
    seen_NCL = seen_NCL & (key_NL < S).unsqueeze(1) & (query_NC < S).unsqueeze(2)
    if is_causal:
        seen_NCL = seen_NCL & (distance_NCL >= 0)
    positions = key_NL.clamp(0, S - 1)[None, None]
    return attend_at(
        q_BHTD, k_BKSD, v_BKSD, positions, seen_NCL[None, None], mask=mask, scale=scale
    )


def _masked(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    mask: Tensor | None,
    is_causal: bool,
    scale: float | None,
    window: int,
    sinks: int,
) -> Tensor:
    T, S = q_BHTD.shape[2], k_BKSD.shape[2]
    seen_TS = window_mask(
        T, S, is_causal=is_causal, window=window, sinks=sinks, device=q_BHTD.device
    )
    if mask is None:
        merged = seen_TS
    elif mask.dtype == torch.bool:
        merged = seen_TS & mask
    else:
        merged = mask.masked_fill(~seen_TS, -torch.inf)
    return torch_sdpa(q_BHTD, k_BKSD, v_BKSD, mask=merged, scale=scale)
