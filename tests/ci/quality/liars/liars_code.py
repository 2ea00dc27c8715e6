"""Attentions that the quality gate must tell apart. Each says in its name what is wrong with it."""

from __future__ import annotations

import torch
from torch.nn.functional import scaled_dot_product_attention


def _seen(q, k, mask, is_causal):
    T, S = q.shape[2], k.shape[2]
    seen = torch.ones(T, S, dtype=torch.bool)
    if is_causal:
        seen = seen.tril(S - T)
    return seen if mask is None else seen & mask


def _under(q, k, v, seen, scale):
    dead = ~seen.any(-1, keepdim=True)
    out = scaled_dot_product_attention(q, k, v, attn_mask=seen | dead, scale=scale)
    return out.masked_fill(dead, 0.0)


def honest(q, k, v, *, mask=None, is_causal=False, scale=None):
    if mask is None and q.shape[2] == k.shape[2]:
        return scaled_dot_product_attention(q, k, v, is_causal=is_causal, scale=scale)
    return _under(q, k, v, _seen(q, k, mask, is_causal), scale)


def short_only(q, k, v, *, mask=None, is_causal=False, scale=None):
    # Exact where somebody might look, nothing where it costs.
    if k.shape[2] > 512:
        return torch.zeros_like(q)
    return honest(q, k, v, mask=mask, is_causal=is_causal, scale=scale)


def last_keys(q, k, v, *, mask=None, is_causal=False, scale=None):
    T, S = q.shape[2], k.shape[2]
    apart = (torch.arange(T).unsqueeze(1) + S - T) - torch.arange(S)
    return _under(q, k, v, _seen(q, k, mask, is_causal) & (apart.abs() < 64), scale)


def mean(q, k, v, *, mask=None, is_causal=False, scale=None):
    return honest(torch.zeros_like(q), k, v, mask=mask, is_causal=is_causal, scale=scale)


def loud_keys(q, k, v, *, mask=None, is_causal=False, scale=None):
    # Keeps what stands out whoever asks: the 16 keys of the largest norm.
    norm = k.norm(dim=-1)
    loud = norm >= norm.topk(min(16, k.shape[2]), dim=-1).values[..., -1:]
    return _under(q, k, v, _seen(q, k, mask, is_causal) & loud.unsqueeze(2), scale)


def crashing(q, k, v, *, mask=None, is_causal=False, scale=None):
    if k.shape[2] == 1024:
        raise MemoryError("too long for me")
    return honest(q, k, v, mask=mask, is_causal=is_causal, scale=scale)
