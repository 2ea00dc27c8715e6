"""Workloads of approximate attention: inputs with structure, because softmax over noise has none.

`Workload.distribution` names the structure:

- topics: every key and every query belongs to one of two topics, in interleaved runs of 1 to 3
  tokens; a query attends to all keys of its topic, unevenly (the products within a topic have
  standard deviation 1). The two topics have opposite values, and every value as much noise again.
  Any honest approximation must find out from q and k which topic is which, and average enough
  keys to beat the noise.
- local: each head attends to a few neighbouring positions some way off, as positional heads do;
  the way off differs by head. Feature `structure:local`.
- retrieval: each span of 48 to 96 queries attends to one needle of 8 keys, anywhere it may see.
  Feature `structure:retrieval`.
- tiny, zeros: unstructured values, at sizes where they have no more to lose than a rounding.

An operator is asked for the last two structures if it declares those features, or declares none.

Shape suffixes as in `dougong.contracts.attention.exact`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from dougong.contracts.attention.inputs import sizes_of, workload
from dougong.contracts.attention.masks import draw_mask
from dougong.contracts.definition import Case, Workload
from dougong.contracts.sampling import chooser, draw, generator, lay

_SEPARATION = 6.0
"""Norm of a topic's key over sqrt(D): topics are far apart, as they are for a trained head."""
_NEEDLE = 8
_Sizes = tuple[int, int, int, int, int, int]
_Values = tuple[Tensor, Tensor, Tensor]


def _normal(source: Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=source, dtype=torch.float64)


def _pick(low: int, high: int, source: Generator) -> int:
    return int(torch.randint(low, high + 1, (1,), generator=source))


def _topic_of(S: int, source: Generator) -> Tensor:
    """Return the topic, 0 or 1, of each of S tokens."""
    topics: list[int] = []
    while len(topics) < S:
        for topic in torch.randperm(2, generator=source).tolist():
            topics += [topic] * _pick(1, 3, source)
    return torch.tensor(topics[:S], dtype=torch.long)


def _topics(sizes: _Sizes, is_causal: bool, source: Generator) -> _Values:
    B, H, K, T, S, D = sizes
    of_BS = torch.empty(B, S, dtype=torch.long)
    for b in range(B):
        of_BS[b] = _topic_of(S, source)
    key_K2D = _SEPARATION * _normal(source, K, 2, D)
    # Opposite values: the mean over both topics says nothing.
    value_K1D = _normal(source, K, 1, D)
    value_K2D = torch.cat((value_K1D, -value_K1D), dim=1)

    def around(centre_K2D: Tensor, of: Tensor, noise: float, heads: int) -> Tensor:
        centres = centre_K2D.repeat_interleave(heads // K, dim=0)[:, of].transpose(0, 1)
        return centres + noise * _normal(source, *centres.shape)

    k_BKSD = around(key_K2D, of_BS, 1 / _SEPARATION, K)
    v_BKSD = around(value_K2D, of_BS, 1.0, K)
    return around(key_K2D, of_BS[:, S - T :], 1 / _SEPARATION, H), k_BKSD, v_BKSD


def _local(sizes: _Sizes, is_causal: bool, source: Generator) -> _Values:
    B, H, K, T, S, D = sizes
    # Random Fourier features of the position: products fall like a Gaussian of width 6.
    frequency_D = _normal(source, D // 2) / 6
    position_S = torch.arange(S, dtype=torch.float64)

    def features(position: Tensor) -> Tensor:
        angle = position.unsqueeze(-1) * frequency_D
        return torch.cat((angle.cos(), angle.sin()), dim=-1)

    sharp = math.sqrt(12 / (D // 2 / math.sqrt(D)))
    offsets = [_pick(4, 40, source) for _ in range(H)]
    signs = [1 if is_causal or _pick(0, 1, source) else -1 for _ in range(H)]
    shift_H1 = torch.tensor([o * s for o, s in zip(offsets, signs, strict=True)]).unsqueeze(-1)
    q_HTD = sharp * features(position_S[S - T :] - shift_H1)
    k_SD = sharp * features(position_S)
    q_BHTD = q_HTD + 0.1 * _normal(source, B, H, T, q_HTD.shape[-1])
    k_BKSD = k_SD + 0.1 * _normal(source, B, K, S, k_SD.shape[-1])
    return q_BHTD, k_BKSD, _normal(source, B, K, S, D)


def _retrieval(sizes: _Sizes, is_causal: bool, source: Generator) -> _Values:
    B, H, K, T, S, D = sizes
    q_BHTD, k_BKSD, v_BKSD = (
        _normal(source, B, heads, count, D) for heads, count in ((H, T), (K, S), (K, S))
    )
    sharp = math.sqrt(16 / math.sqrt(D))
    for b in range(B):
        start = 0
        while start < T:
            end = min(T, start + _pick(48, 96, source))
            # The needle lies where the first query of the span already sees it.
            reach = max(0, start + S - T - _NEEDLE) if is_causal else S - _NEEDLE
            at = _pick(0, reach, source)
            sought_KD = _normal(source, K, D)
            k_BKSD[b, :, at : at + _NEEDLE] = sharp * sought_KD.unsqueeze(1)
            sought_HD = sought_KD.repeat_interleave(H // K, dim=0)
            q_BHTD[b, :, start:end] = sharp * sought_HD.unsqueeze(1)
            v_BKSD[b, :, at : at + _NEEDLE] = _normal(source, K, 1, D)
            start = end
    noise = 0.1 * _normal(source, B, H, T, D)
    return q_BHTD + noise, k_BKSD, v_BKSD


_DRAW: dict[str, Callable[[_Sizes, bool, Generator], _Values]] = {
    "topics": _topics,
    "local": _local,
    "retrieval": _retrieval,
}


def generate(work: Workload, seed: int, dtype: torch.dtype) -> Case:
    """Draw q, k, v and the mask of a workload."""
    sizes, is_causal = sizes_of(work), bool(work.params["is_causal"])
    B, H, K, T, S, D = sizes
    source = generator(seed, work.name, "structure")
    if work.distribution in _DRAW:
        drawn = _DRAW[work.distribution](sizes, is_causal, source)
    else:
        shapes = ((B, H, T, D), (B, K, S, D), (B, K, S, D))
        q, k, v = (draw(shape, work.distribution, source, torch.float64) for shape in shapes)
        drawn = (q, k, v)
    tensors: dict[str, Tensor | None] = {
        name: lay(value.to(dtype), work.layout) for name, value in zip("qkv", drawn, strict=True)
    }
    source = generator(seed, work.name, "mask")
    tensors["mask"] = draw_mask(str(work.params["mask"]), B, H, T, S, source, dtype)
    static = {"is_causal": is_causal, "scale": work.params["scale"]}
    return Case(tensors=tensors, static=static, differentiable=("q", "k", "v"))


def _made(
    name: str, sizes: _Sizes, mask: str = "none", structure: str = "topics", **rest: object
) -> Workload:
    made = workload(name, sizes, mask, distribution=structure, **rest)  # type: ignore[arg-type] # checked by dataclass field names
    if structure not in ("local", "retrieval"):
        return made
    return dataclasses.replace(made, features=(*made.features, f"structure:{structure}"))


_BOTH = ("accuracy", "speed")
_EDGE = ("edge",)

SPEED = (
    _made("topics-512", (1, 2, 2, 512, 512, 64), purpose=_BOTH),
    _made("topics-causal-1024", (1, 1, 1, 1024, 1024, 32), is_causal=True, purpose=_BOTH),
    _made("topics-padded-256", (2, 2, 2, 256, 256, 64), "padding", purpose=_BOTH),
)

WORKLOADS = (
    _made("topics", (2, 4, 4, 384, 384, 32)),
    _made("topics-causal", (2, 4, 4, 384, 384, 32), is_causal=True),
    _made("topics-padding", (3, 2, 2, 256, 256, 32), "padding"),
    _made("topics-boolean", (1, 4, 4, 256, 256, 32), "boolean"),
    _made("topics-gqa", (2, 6, 2, 256, 256, 32), is_causal=True),
    _made("topics-continued", (2, 4, 4, 64, 320, 32), is_causal=True),
    _made("topics-decode", (16, 4, 2, 1, 384, 64), is_causal=True),
    _made("topics-padding-causal", (3, 2, 2, 256, 256, 32), "padding", is_causal=True),
    _made("topics-additive-min", (1, 4, 4, 256, 256, 32), "additive-min"),
    _made("topics-additive", (1, 4, 4, 256, 256, 32), "additive"),
    *SPEED,
    _made("local", (1, 4, 4, 512, 512, 64), structure="local"),
    _made("local-causal", (1, 4, 2, 512, 512, 64), structure="local", is_causal=True),
    _made("retrieval", (1, 2, 2, 1024, 1024, 64), structure="retrieval"),
    _made("retrieval-causal", (1, 2, 2, 1024, 1024, 64), structure="retrieval", is_causal=True),
    _made("size-1", (1, 1, 1, 1, 1, 1), structure="tiny", purpose=_EDGE),
    _made("empty-batch", (0, 2, 2, 5, 5, 8), purpose=_EDGE),
    _made("tiny", (2, 2, 2, 67, 67, 16), structure="tiny", purpose=_EDGE),
    _made("zeros", (2, 2, 2, 67, 67, 16), structure="zeros", purpose=_EDGE),
    _made("dead-rows", (2, 2, 2, 131, 131, 32), "dead-rows", purpose=_EDGE),
    _made("causal-more-queries", (2, 2, 2, 67, 41, 32), is_causal=True, purpose=_EDGE),
    _made("primes", (1, 3, 3, 257, 257, 37), purpose=_EDGE),
    _made("transposed", (2, 2, 2, 193, 193, 32), purpose=_EDGE, layout="transposed"),
    _made("offset", (2, 2, 2, 193, 193, 32), purpose=_EDGE, layout="offset"),
)


def hidden(seed: int) -> tuple[Workload, ...]:
    """Return the hidden workloads of a secret seed."""
    pick = chooser(seed, "attention.approx@1")
    found = []
    for i, mask in enumerate(("none", "none", "padding", "boolean")):
        K, groups, S = pick.choice((1, 2, 3)), pick.choice((1, 2)), pick.choice((211, 293, 397))
        sizes = (pick.randint(1, 2), K * groups, K, S, S, pick.choice((32, 40, 64)))
        found.append(_made(f"hidden-{i}", sizes, mask, is_causal=i % 2 == 1))
    S = pick.choice((997, 1021))
    for structure in ("local", "retrieval"):
        sizes = (1, 2, 2, S, S, 64)
        found.append(_made(f"hidden-{structure}", sizes, structure=structure, is_causal=True))
    more = pick.randint(1, 31)
    sizes = (1, 2, 2, 512 + more, 512 + more, 64)
    return (*found, _made("hidden-speed", sizes, purpose=("speed",)))
