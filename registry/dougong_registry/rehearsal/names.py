"""Names and texts of made-up plugins: as many words as real ones have, always the same."""

from __future__ import annotations

import random
from collections.abc import Iterator

from dougong_registry.plugins.names import confusable_key

CONTRACTS = {
    "attention.exact@1": ("flash", "tiled", "grouped", "paged", "ring", "decode"),
    "attention.approx@1": ("sparse", "linear", "window", "topk", "hashed", "landmark"),
    "norm.rms@1": ("fused", "residual", "onepass", "welford", "vector", "streamed"),
    "norm.layer@1": ("fused", "residual", "onepass", "welford", "vector", "streamed"),
    "norm.group@1": ("fused", "channels", "nhwc", "welford", "vector", "streamed"),
    "activation.gelu@1": ("erf", "tanh", "poly", "table", "vector", "inplace"),
    "activation.silu@1": ("exp", "rational", "poly", "table", "vector", "inplace"),
    "activation.swiglu@1": ("gated", "fused", "packed", "split", "vector", "recompute"),
    "optimizer.step@1": ("lion", "muon", "soap", "sophia", "adafactor", "shampoo", "prodigy"),
    "optimizer.train@1": ("adamw", "lion", "muon", "soap", "shampoo", "sophia", "prodigy", "sgd"),
    "backend.inference@1": ("graph", "aot", "onnx", "openvino", "cached", "pinned"),
    "transform.quantize@1": ("int8", "int4", "awq", "gptq", "smooth", "dynamic"),
    "transform.prune@1": ("magnitude", "wanda", "structured", "movement", "block", "random"),
}
# fmt: off
_FIRST = (
    "amber", "basalt", "cedar", "delta", "ember", "fjord", "garnet", "harbor", "indigo", "jasper",
    "kelp", "lotus", "maple", "nimbus", "onyx", "pebble", "quartz", "raven", "slate", "tundra",
    "umber", "velvet", "willow", "xenon", "yarrow", "zephyr", "alder", "birch", "coral", "dune",
    "elm", "flint", "grove", "heron", "iris", "juniper", "kestrel", "lark", "moss", "nectar",
    "opal", "pine", "quill", "reed", "sage", "thistle",
)
# fmt: on
# fmt: off
_SECOND = (
    "forge", "works", "labs", "tools", "kernels", "lane", "mill", "craft", "yard", "studio",
    "point", "press", "shore", "field", "bridge", "house", "gate", "path", "hill", "rock",
    "spring", "tower", "valley", "wood",
)
# fmt: on
_SAYS = (
    "{way} {kind} for long rows, written for {unit} and checked on odd sizes.",
    "A {way} take on {kind} that reads memory once; works on {unit}.",
    "{kind} with {way} accumulation, forward and backward, tuned for {unit}.",
    "Drop-in {kind}: {way}, no build step, falls back to plain PyTorch off {unit}.",
)
_UNITS = ("AVX-512", "AVX2", "two cores", "many cores", "Hopper", "Ampere", "small caches")


def plugins(seed: int) -> Iterator[str]:
    """Yield different names of distributions without end, no two of them confusable."""
    draw, taken = random.Random(seed), set[str]()  # noqa: S311 - no secret
    while True:
        name = "-".join(
            (
                draw.choice(_FIRST),
                draw.choice(_SECOND),
                f"{draw.choice(_FIRST)}{draw.randrange(99)}",
            )
        )
        if (key := confusable_key(name)) not in taken:
            taken.add(key)
            yield name


def summary(draw: random.Random, contract: str, way: str) -> str:
    """Return a sentence such as authors write."""
    kind = contract.partition("@")[0].replace(".", " ")
    return draw.choice(_SAYS).format(way=way, kind=kind, unit=draw.choice(_UNITS))
