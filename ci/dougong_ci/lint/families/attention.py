"""Mistakes in attention. Shape suffixes as in `dougong.contracts.attention.exact`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from dougong.contracts.attention.exact import attention
from dougong.contracts.attention.masks import visible
from dougong.contracts.definition import Contract
from dougong_ci.lint.families.targets import mutant
from dougong_ci.lint.mutants import SHARE, Mutant


def mutants(contract: Contract, variant: str) -> Iterator[Mutant]:
    """Make the mutants of an attention contract, exact or approximate."""
    made = [
        ("off-by-one-mask-future", "sees one key too many under the causal mask", _sees_next),
        ("without-mask", "ignores its mask", _without_mask),
        ("without-causal", "ignores the causal mask", _without_causal),
        ("heads-interleaved", "reads the wrong key head for grouped queries", _interleaved),
        ("without-max", "takes the softmax without subtracting the maximum", _without_max),
        ("mean-of-values", "averages the values it sees, whatever the queries", _mean),
        ("own-value", "returns the value at the query's own position", _own_value),
        ("last-query-only", "answers every query like the last", _last_query),
        ("dead-rows-uniform", "averages all values where a query sees no key", _dead_uniform),
    ]
    loose = [
        # An approximation may see less, and no workload of attention.approx@1 has more queries than
        # keys, where this would see more.
        ("first-aligned", "aligns the first query with the first key", _first_aligned),
        ("off-by-one-mask-past", "misses the query's own key under the causal mask", _misses_own),
        ("mask-shifted", "reads its mask one key to the left", _mask_shifted),
        ("default-scale", "ignores its scale", _default_scale),
        ("drop-last-keys", "leaves out the last 5 % of the keys", _drop_keys),
        ("top-half", "keeps the larger half of the weights", _top_half),
        ("softmax-bfloat16", "rounds the weights to bfloat16", _weights_bfloat16),
    ]
    for name, summary, target in made:
        yield mutant(name, summary, target)
    scaled = any(work.params["scale"] is not None for work in contract.workloads)
    for name, summary, target in loose:
        reason = ""
        if name == "default-scale" and not scaled and contract.equivalence == "approximate":
            reason = "no workload of this approximate contract gives a scale"
        yield mutant(name, summary, target, may_be_admitted=True, inapplicable=reason)


def _plain(
    q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None, mask: Tensor | None, scale: float | None
) -> Tensor:
    """Attend where `seen` says so, adding a float mask."""
    if mask is not None and mask.dtype != torch.bool:
        hidden = mask == -torch.inf
        seen = ~hidden if seen is None else seen & ~hidden
        bias = mask.masked_fill(hidden, 0.0)
        bias = bias.masked_fill(~seen, -torch.inf)
        return attention(q, k, v, mask=bias, scale=scale)
    return attention(q, k, v, mask=seen, scale=scale)


def _with_triangle(shift: int, aligned_last: bool = True) -> Any:
    def target(
        q: Tensor,
        k: Tensor,
        v: Tensor,
        *,
        mask: Tensor | None = None,
        is_causal: bool = False,
        scale: float | None = None,
    ) -> Tensor:
        if not is_causal:
            return attention(q, k, v, mask=mask, scale=scale)
        T, S = q.shape[2], k.shape[2]
        offset = (S - T if aligned_last else 0) + shift
        seen = torch.ones(T, S, dtype=torch.bool).tril(offset)
        seen = seen if mask is None or mask.dtype != torch.bool else seen & mask
        return _plain(q, k, v, seen, mask, scale)

    return target


_sees_next, _misses_own = _with_triangle(1), _with_triangle(-1)
_first_aligned = _with_triangle(0, aligned_last=False)


def _without_mask(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None, **rest: Any
) -> Tensor:
    return attention(q, k, v, **rest)


def _without_causal(
    q: Tensor, k: Tensor, v: Tensor, *, is_causal: bool = False, **rest: Any
) -> Tensor:
    return attention(q, k, v, **rest)


def _mask_shifted(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None, **rest: Any
) -> Tensor:
    return attention(q, k, v, mask=None if mask is None else mask.roll(-1, -1), **rest)


def _default_scale(
    q: Tensor, k: Tensor, v: Tensor, *, scale: float | None = None, **rest: Any
) -> Tensor:
    return attention(q, k, v, **rest)


def _interleaved(q: Tensor, k: Tensor, v: Tensor, **rest: Any) -> Tensor:
    times = q.shape[1] // k.shape[1]
    return attention(q, k.repeat(1, times, 1, 1), v.repeat(1, times, 1, 1), **rest)


def _mean(q: Tensor, k: Tensor, v: Tensor, **rest: Any) -> Tensor:
    return attention(torch.zeros_like(q), k, v, **rest)


def _own_value(q: Tensor, k: Tensor, v: Tensor, **rest: Any) -> Tensor:
    v = v.repeat_interleave(q.shape[1] // k.shape[1], 1)
    short = max(0, q.shape[2] - v.shape[2])
    v = torch.cat((v[:, :, :1].expand(-1, -1, short, -1), v), 2) if v.shape[2] else v
    return v[:, :, v.shape[2] - q.shape[2] :].contiguous()


def _last_query(q: Tensor, k: Tensor, v: Tensor, **rest: Any) -> Tensor:
    return attention(q[:, :, -1:].expand_as(q), k, v, **rest)


def _weights(
    q: Tensor, k: Tensor, mask: Tensor | None, is_causal: bool, scale: float | None
) -> tuple[Tensor, Tensor]:
    """Return the logits with -inf at keys not seen, and the keys seen."""
    T, S = q.shape[2], k.shape[2]
    k = k.repeat_interleave(q.shape[1] // k.shape[1], 1)
    logits = (1 / math.sqrt(q.shape[-1]) if scale is None else scale) * (q @ k.mT)
    if mask is not None and mask.dtype != torch.bool:
        logits = logits + mask
    seen = visible(mask, is_causal, T, S)
    seen = torch.ones(T, S, dtype=torch.bool) if seen is None else seen
    return logits.masked_fill(~seen, -torch.inf), seen.expand(logits.shape)


def _weighted(weigh: Any) -> Any:
    def target(
        q: Tensor,
        k: Tensor,
        v: Tensor,
        *,
        mask: Tensor | None = None,
        is_causal: bool = False,
        scale: float | None = None,
    ) -> Tensor:
        logits, seen = _weights(q, k, mask, is_causal, scale)
        v = v.repeat_interleave(q.shape[1] // v.shape[1], 1)
        out: Tensor = weigh(logits, seen) @ v
        return out

    return target


def _softmax(logits: Tensor, seen: Tensor) -> Tensor:
    dead = ~seen.any(-1, keepdim=True)
    return logits.masked_fill(dead, 0.0).softmax(-1).masked_fill(dead, 0.0)


def _exponentials(logits: Tensor, seen: Tensor) -> Tensor:
    weights = logits.exp()
    dead = ~seen.any(-1, keepdim=True)
    return (weights / weights.sum(-1, keepdim=True)).masked_fill(dead, 0.0)


def _uniform_when_dead(logits: Tensor, seen: Tensor) -> Tensor:
    return logits.masked_fill(~seen.any(-1, keepdim=True), 0.0).softmax(-1)


def _larger_half(logits: Tensor, seen: Tensor) -> Tensor:
    if logits.shape[-1] < 2:
        return _softmax(logits, seen)
    least = logits.median(-1, keepdim=True).values
    return _softmax(logits.masked_fill(logits < least, -torch.inf), seen)


_without_max = _weighted(_exponentials)
_dead_uniform = _weighted(_uniform_when_dead)
_top_half = _weighted(_larger_half)
_weights_bfloat16 = _weighted(
    lambda logits, seen: _softmax(logits, seen).bfloat16().to(logits.dtype)
)


def _drop_keys(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    T, S = q.shape[2], k.shape[2]
    kept = torch.arange(S) < S - (max(1, round(SHARE * S)) if S > 2 else 0)
    seen = visible(mask, is_causal, T, S)
    seen = kept.expand(T, S) if seen is None else seen & kept
    return _plain(q, k, v, seen, mask, scale)
