"""Workloads, inputs and cost of exact attention.

Shape suffixes as in `dougong.contracts.attention.exact`.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from dougong.contracts.attention.masks import draw_mask
from dougong.contracts.definition import Case, Cost, Scalar, Workload
from dougong.contracts.functional import element_bytes
from dougong.contracts.sampling import chooser, draw, generator, lay

_VALUES_ONLY = ("heavy", "spikes", "shifted", "large", "tiny")
"""Distributions drawn for the values alone. In queries and keys they only blow up the products,
whose rounding then swamps every implementation alike; `sharpness` says how large products are."""


def workload(
    name: str,
    sizes: tuple[int, int, int, int, int, int],
    mask: str = "none",
    *,
    is_causal: bool = False,
    scale: float | None = None,
    sharpness: float = 1.0,
    **rest: object,
) -> Workload:
    """Return a workload with `sizes` (B, H, K, T, S, D) and its features worked out.

    `sharpness` multiplies the queries: the standard deviation of the scaled products.
    """
    B, H, K, T, S, D = sizes
    params: dict[str, Scalar] = {
        "B": B,
        "H": H,
        "K": K,
        "T": T,
        "S": S,
        "D": D,
        "mask": mask,
        "is_causal": is_causal,
        "scale": scale,
        "sharpness": sharpness,
    }
    features = []
    if mask == "none" and not is_causal:
        features.append("mask:none")
    if is_causal:
        features.append("mask:causal")
    if mask != "none":
        features.append("mask:additive" if mask.startswith("additive") else "mask:boolean")
    if K != H:
        features.append("gqa")
    if T != S:
        features.append("q_len!=k_len")
    plain = Workload(name=name, params=params, features=tuple(features))
    return dataclasses.replace(plain, **rest)  # type: ignore[arg-type] # checked by dataclass field names


_BOTH = ("accuracy", "speed")
_EDGE = ("edge",)

SPEED = (
    workload("vit-small", (1, 6, 6, 197, 197, 64), purpose=_BOTH),
    workload("llama-prefill", (1, 8, 2, 256, 256, 64), is_causal=True, purpose=_BOTH),
    workload("bert-padded", (4, 12, 12, 64, 64, 64), "padding", purpose=_BOTH),
)

WORKLOADS = (
    *(
        workload(f"values-{name}", (2, 3, 3, 17, 17, 32), distribution=name)
        for name in ("normal", "uniform", "sparse", "sorted", "heavy", "spikes", "shifted")
    ),
    workload("causal", (2, 3, 3, 33, 33, 16), is_causal=True),
    workload("cross", (2, 2, 2, 7, 29, 32)),
    workload("causal-continued", (2, 2, 2, 5, 31, 32), is_causal=True),
    workload("decode", (3, 4, 4, 1, 65, 64), is_causal=True),
    workload("decode-gqa", (2, 8, 2, 1, 129, 64)),
    workload("gqa", (2, 6, 2, 19, 19, 32)),
    workload("one-kv-head", (2, 4, 1, 13, 13, 32), is_causal=True),
    workload("padding", (3, 2, 2, 23, 23, 32), "padding"),
    workload("padding-causal", (3, 2, 2, 23, 23, 32), "padding", is_causal=True),
    workload("boolean", (2, 3, 3, 21, 21, 32), "boolean"),
    workload("boolean-gqa-cross", (2, 4, 2, 9, 21, 32), "boolean"),
    workload("additive", (2, 4, 4, 21, 21, 32), "additive"),
    workload("additive-inf", (2, 4, 4, 21, 21, 32), "additive-inf"),
    workload("additive-min", (2, 4, 4, 21, 21, 32), "additive-min"),
    workload("additive-causal", (2, 4, 2, 11, 21, 32), "additive", is_causal=True),
    workload("scale", (2, 2, 2, 19, 19, 48), scale=0.3),
    workload("sharp", (2, 2, 2, 37, 37, 64), sharpness=4.0),
    *SPEED,
    workload("size-1", (1, 1, 1, 1, 1, 1), purpose=_EDGE),
    workload("size-1-causal", (1, 1, 1, 1, 1, 8), is_causal=True, purpose=_EDGE),
    workload("primes", (1, 3, 3, 127, 131, 13), purpose=_EDGE),
    workload("empty-batch", (0, 2, 2, 5, 5, 8), purpose=_EDGE),
    workload("dead-rows", (2, 2, 2, 13, 13, 16), "dead-rows", purpose=_EDGE),
    workload("dead-rows-additive", (2, 2, 2, 13, 13, 16), "additive-dead-rows", purpose=_EDGE),
    workload("dead-rows-causal", (2, 2, 2, 13, 13, 16), "dead-rows", is_causal=True, purpose=_EDGE),
    workload("causal-more-queries", (2, 2, 2, 11, 4, 16), is_causal=True, purpose=_EDGE),
    workload("very-sharp", (4, 4, 4, 97, 97, 32), sharpness=64.0, purpose=_EDGE),
    *(
        workload(f"edge-{name}", (2, 2, 2, 11, 11, 16), purpose=_EDGE, distribution=name)
        for name in ("tiny", "large", "zeros", "zero-rows", "constant-rows")
    ),
    *(
        workload(f"layout-{name}", (2, 2, 2, 11, 11, 24), purpose=_EDGE, layout=name)
        for name in ("transposed", "offset", "expanded")
    ),
)


def hidden(seed: int) -> tuple[Workload, ...]:
    """Return the hidden workloads of a secret seed: odd sizes, every kind of mask."""
    pick = chooser(seed, "attention.exact@1")
    masks = ("none", "none", "padding", "boolean", "additive", "additive-inf", "dead-rows")
    found = []
    for i, mask in enumerate((*masks, "none", "padding", "none")):
        K, groups = pick.choice((1, 2, 3)), pick.choice((1, 1, 2, 3))
        S = pick.choice((3, 17, 31, 61, 97))
        T = S if pick.random() < 0.6 else pick.choice((1, 2, 5, 13))
        found.append(
            workload(
                f"hidden-{i}",
                (pick.randint(1, 3), K * groups, K, min(T, S), S, pick.choice((8, 15, 32, 40))),
                mask,
                is_causal=pick.random() < 0.4,
                sharpness=pick.choice((0.5, 1.0, 3.0)),
                distribution=pick.choice(("normal", "uniform", "sparse", "heavy", "shifted")),
                layout=pick.choice(("contiguous", "contiguous", "transposed", "offset")),
            )
        )
    return (*found, *(_resized(speed, pick.randint(1, 7)) for speed in SPEED))


def _resized(speed: Workload, more: int) -> Workload:
    sizes = {name: int(str(speed.params[name])) + more for name in ("T", "S")}
    return dataclasses.replace(
        speed, name=f"hidden-{speed.name}", params={**speed.params, **sizes}, purpose=("speed",)
    )


def sizes_of(work: Workload) -> tuple[int, int, int, int, int, int]:
    """Return (B, H, K, T, S, D)."""
    B, H, K, T, S, D = (int(str(work.params[name])) for name in "BHKTSD")
    return B, H, K, T, S, D


def generate(work: Workload, seed: int, dtype: torch.dtype) -> Case:
    """Draw q, k, v and the mask of a workload."""
    B, H, K, T, S, D = sizes_of(work)
    around = "normal" if work.distribution in _VALUES_ONLY else work.distribution
    tensors: dict[str, Tensor | None] = {}
    for name, shape in (("q", (B, H, T, D)), ("k", (B, K, S, D)), ("v", (B, K, S, D))):
        source = generator(seed, work.name, name)
        values = draw(shape, work.distribution if name == "v" else around, source, torch.float64)
        factor = float(str(work.params["sharpness"])) if name == "q" else 1.0
        tensors[name] = lay((factor * values).to(dtype), work.layout)
    source = generator(seed, work.name, "mask")
    tensors["mask"] = draw_mask(str(work.params["mask"]), B, H, T, S, source, dtype)
    return Case(
        tensors=tensors,
        static={name: work.params[name] for name in ("is_causal", "scale")},
        differentiable=("q", "k", "v"),
    )


def cap_scale(work: Workload) -> float:
    """Widen the cap with the scaled products, whose rounding the softmax exponentiates."""
    return max(1.0, float(str(work.params["sharpness"]))) * math.sqrt(sizes_of(work)[-1])


def cost(work: Workload, dtype: torch.dtype) -> Cost:
    """Count two products of the pairs that are seen (half of them if causal); each tensor once."""
    B, H, K, T, S, D = sizes_of(work)
    seen = T * S
    if work.params["is_causal"]:
        seen = sum(max(0, min(S, i + 1 + S - T)) for i in range(T))
    flops = B * H * seen * (4.0 * D + 5.0)
    elements = 2 * B * H * T * D + 2 * B * K * S * D
    return Cost(flops=flops, bytes=float(elements * element_bytes(dtype)))
