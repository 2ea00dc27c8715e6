"""Which keys a query sees, and the masks that workloads are drawn with.

Shape suffixes: B = batch, H = heads, T = queries, S = keys.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

KINDS = (
    "none",
    "padding",
    "boolean",
    "additive",
    "additive-inf",
    "additive-min",
    "dead-rows",
    "additive-dead-rows",
)
"""Kinds of mask a workload may ask for; see `draw_mask`."""


def causal(T: int, S: int, device: torch.device | None = None) -> Tensor:
    """Return the (T, S) boolean mask that aligns the last query with the last key."""
    return torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T)


def visible(mask: Tensor | None, is_causal: bool, T: int, S: int) -> Tensor | None:
    """Return which keys each query sees, True = sees, broadcastable to (B, H, T, S).

    None means that every query sees every key. In a float mask -inf hides a key, nothing else does.
    """
    seen = None if mask is None else (mask if mask.dtype == torch.bool else mask != -torch.inf)
    if not is_causal:
        return seen
    triangle = causal(T, S, None if mask is None else mask.device)
    return triangle if seen is None else seen & triangle


def draw_mask(
    kind: str, B: int, H: int, T: int, S: int, source: Generator, dtype: torch.dtype
) -> Tensor | None:
    """Draw a mask.

    padding: (B, 1, 1, S) boolean, a random number of keys at the end hidden. boolean: (B, H, T, S),
    seven in ten seen, each query at least one. additive: (1, H, T, S) float, a slope per head times
    distance plus noise. additive-inf: the same with three in ten hidden by -inf. additive-min:
    (T, S) float, the causal triangle written with the least finite number, as `transformers` does.
    dead-rows: boolean with a third of the queries seeing no key. additive-dead-rows: the same as
    float.

    Raises:
        ValueError: the kind is unknown.
    """
    if kind == "none":
        return None
    if kind == "padding":
        lengths = torch.randint((S + 1) // 2, S + 1, (B, 1, 1, 1), generator=source)
        return torch.arange(S) < lengths
    if kind == "additive-min":
        least = torch.zeros(T, S, dtype=dtype)
        return least.masked_fill_(~causal(T, S), torch.finfo(dtype).min)
    if kind in ("boolean", "dead-rows"):
        seen = torch.rand(B, H, T, S, generator=source) < 0.7
        first = torch.randint(0, S, (B, H, T, 1), generator=source)
        seen |= torch.arange(S) == first
        dead = torch.rand(B, H, T, 1, generator=source) < 1 / 3
        return seen & ~dead if kind == "dead-rows" else seen
    if kind not in KINDS:
        raise ValueError(f"mask must be one of {', '.join(KINDS)}, got {kind!r}")
    distance = (torch.arange(S) - torch.arange(T).unsqueeze(1) - (S - T)).abs().double()
    slope = 2.0 ** -torch.arange(1, H + 1, dtype=torch.float64).reshape(1, H, 1, 1)
    noise = torch.randn(1, H, T, S, generator=source, dtype=torch.float64)
    bias = (noise - slope * distance).to(dtype)
    if kind == "additive":
        return bias
    hidden = torch.rand(1, H, T, S, generator=source) < 0.3
    hidden[..., 0] = False
    if kind == "additive-dead-rows":
        hidden |= torch.rand(1, H, T, 1, generator=source) < 1 / 3
    return bias.masked_fill_(hidden, -torch.inf)
