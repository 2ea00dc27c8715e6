"""Scaled dot-product attention, exact: `attention.exact@1`.

Paper: Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, eq. 1; grouped queries:
Ainslie et al., 2023, arXiv:2305.13245.

Shape suffixes: B = batch, H = query heads, K = key and value heads, T = queries, S = keys,
D = per-head size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.attention import inputs, laws
from dougong.contracts.attention.masks import causal, visible
from dougong.contracts.definition import Contract
from dougong.contracts.functional import binder, in_float32


def attention(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Average the values by the softmax of the scaled products of query and keys.

    out = softmax(scale * q @ k^T + mask) @ v, over the keys that the query sees; zeros for a query
    that sees none.

    Args:
        q_BHTD: Queries, shape (B, H, T, D); floating point; any strides.
        k_BKSD: Keys, shape (B, K, S, D), K dividing H: query head h reads key head h // (H / K);
            dtype and device of `q_BHTD`.
        v_BKSD: Values, like the keys.
        mask: Broadcastable to (B, H, T, S), or None. Boolean: True = seen. Floating point: added
            to the scaled products, and -inf = not seen.
        is_causal: Query i sees the keys j <= i + S - T only: the last query is aligned with the
            last key. Applies on top of `mask`.
        scale: Factor of the products; None for 1 / sqrt(D).

    Returns:
        Shape (B, H, T, D), dtype and device of `q_BHTD`.

    Raises:
        ValueError: K does not divide H.

    Example:
        >>> q, k = torch.zeros(1, 1, 1, 4), torch.zeros(1, 1, 2, 4)
        >>> attention(q, k, torch.arange(8.0).reshape(1, 1, 2, 4))
        tensor([[[[2., 3., 4., 5.]]]])
    """
    H, T, D = q_BHTD.shape[1:]
    K, S = k_BKSD.shape[1:3]
    if H % K:
        raise ValueError(f"key heads must divide the {H} query heads, got {K}")
    k_BHSD, v_BHSD = (kv.repeat_interleave(H // K, dim=1) for kv in (k_BKSD, v_BKSD))
    logits_BHTS = (1 / math.sqrt(D) if scale is None else scale) * (q_BHTD @ k_BHSD.mT)
    if mask is not None and mask.dtype != torch.bool:
        logits_BHTS = logits_BHTS + mask
    seen = visible(mask, is_causal, T, S)
    if seen is None:
        return logits_BHTS.softmax(-1) @ v_BHSD
    dead = ~seen.any(-1, keepdim=True)
    logits_BHTS = logits_BHTS.masked_fill(~seen, -torch.inf).masked_fill(dead, 0.0)
    return logits_BHTS.softmax(-1).masked_fill(dead, 0.0) @ v_BHSD


def attention_torch(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Compute the same with `torch.nn.functional.scaled_dot_product_attention`.

    Its own causal flag aligns the first query with the first key and excludes a mask, so that it is
    used only where it means the same; otherwise the mask is built.
    """
    T, S = q_BHTD.shape[2], k_BKSD.shape[2]
    grouped = q_BHTD.shape[1] != k_BKSD.shape[1]
    plain = mask is None and (not is_causal or T == S)
    dead = None
    if not plain:
        mask, dead = _merged(mask, is_causal, T, S)
    out: Tensor = functional.scaled_dot_product_attention(
        q_BHTD,
        k_BKSD,
        v_BKSD,
        attn_mask=mask,
        is_causal=plain and is_causal,
        scale=scale,
        enable_gqa=grouped,
    )
    return out if dead is None else out.masked_fill(dead, 0.0)


def _merged(mask: Tensor | None, is_causal: bool, T: int, S: int) -> tuple[Tensor, Tensor]:
    """Return one mask for both, and the queries that see no key (whose row is opened)."""
    if mask is None:
        mask = causal(T, S)
        dead = ~mask.any(-1, keepdim=True)
        return mask | dead, dead
    seen = visible(mask, is_causal, T, S)
    assert seen is not None  # noqa: S101 - there is a mask
    dead = ~seen.any(-1, keepdim=True)
    if mask.dtype == torch.bool:
        return seen | dead, dead
    return mask.masked_fill(~seen, -torch.inf).masked_fill(dead, 0.0), dead


attention_float32 = in_float32(attention)


@in_float32
def attention_prescaled(
    q_BHTD: Tensor,
    k_BKSD: Tensor,
    v_BKSD: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """Compute the same with the queries scaled before the products are taken.

    As right as scaling after, and rounded elsewhere: with very sharp weights one honest order of
    the two can be several times nearer to the exact result than the other.
    """
    scale = 1 / math.sqrt(q_BHTD.shape[-1]) if scale is None else scale
    return attention(q_BHTD * scale, k_BKSD, v_BKSD, mask=mask, is_causal=is_causal, scale=1.0)


CONTRACT = Contract(
    id="attention.exact@1",
    summary="Scaled dot-product attention, exact, with masks and grouped queries",
    signature=("f(q_BHTD, k_BKSD, v_BKSD, *, mask=None, is_causal=False, scale=None) -> out_BHTD"),
    paper="arXiv:1706.03762",
    reference=attention,
    baselines={
        "torch": "dougong.contracts.attention.exact:attention_torch",
        "float32": "dougong.contracts.attention.exact:attention_float32",
        "prescaled": "dougong.contracts.attention.exact:attention_prescaled",
    },
    generate=inputs.generate,
    workloads=inputs.WORKLOADS,
    hidden=inputs.hidden,
    bind=binder("q", "k", "v"),
    tolerance=Tolerance(cap_scale=inputs.cap_scale),
    gradient="optional",
    laws=(laws.PERMUTATION, laws.CAUSALITY, laws.HIDDEN_VALUES, laws.BATCH, laws.GROUPS),
    cost=inputs.cost,
    dtypes=("float64", "float32", "bfloat16", "float16"),
    features=(
        "mask:none",
        "mask:causal",
        "mask:boolean",
        "mask:additive",
        "gqa",
        "q_len!=k_len",
    ),
)
