"""Small real models that whole-model contracts run: an MLP, a pre-norm transformer, a conv net.

Weights are drawn by `weights` and travel in `Case.setup`; `build` makes the module around them.
Hidden sizes are powers of two or not as the workload says.

Shape suffixes: B = batch, T = tokens, C = model width, H = heads, D = per-head size.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dougong.contracts.definition import Case, Cost, Scalar, Workload
from dougong.contracts.functional import element_bytes
from dougong.contracts.sampling import Shape, chooser, draw, generator, lay


class Mlp(nn.Sequential):
    """Linear layers with GELU between: (B, C) -> (B, classes)."""

    def __init__(self, width: int, depth: int, classes: int) -> None:
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [nn.Linear(width, width), nn.GELU()]
        super().__init__(*layers, nn.Linear(width, classes))


class Block(nn.Module):
    """Pre-norm attention and MLP with residuals: (B, T, C) -> (B, T, C)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """Add what causal attention and the MLP make of the normed input."""
        B, T, C = x_BTC.shape
        qkv = self.qkv(self.norm1(x_BTC)).view(B, T, 3, self.heads, C // self.heads)
        q_BHTD, k_BHTD, v_BHTD = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed_BHTD = functional.scaled_dot_product_attention(q_BHTD, k_BHTD, v_BHTD, is_causal=True)
        x_BTC = x_BTC + self.out(mixed_BHTD.transpose(1, 2).reshape(B, T, C))
        y: Tensor = x_BTC + self.down(functional.gelu(self.up(self.norm2(x_BTC))))
        return y


class Transformer(nn.Sequential):
    """Blocks, a last norm and a head: (B, T, C) -> (B, T, classes)."""

    def __init__(self, width: int, depth: int, classes: int) -> None:
        blocks = [Block(width, 4) for _ in range(depth)]
        super().__init__(*blocks, nn.LayerNorm(width), nn.Linear(width, classes))


class ConvNet(nn.Sequential):
    """Convolutions with group norm and SiLU, pooled: (B, 3, X, Y) -> (B, classes)."""

    def __init__(self, width: int, depth: int, classes: int) -> None:
        layers: list[nn.Module] = []
        for i in range(depth):
            conv = nn.Conv2d(width if i else 3, width, 3, stride=2 if i else 1, padding=1)
            layers += [conv, nn.GroupNorm(4, width), nn.SiLU()]
        pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))
        super().__init__(*layers, *pooled)


_MODELS: dict[str, type[nn.Module]] = {"mlp": Mlp, "transformer": Transformer, "conv": ConvNet}


def _empty(static: Mapping[str, Any]) -> nn.Module:
    with torch.device("meta"):
        return _MODELS[static["model"]](static["width"], static["depth"], static["classes"])


def build(case: Case) -> nn.Module:
    """Make the model of a case around its own copy of the weights, in evaluation mode."""
    model = _empty(case.static)
    model.load_state_dict({name: w.clone() for name, w in case.setup.items()}, assign=True)
    return model.eval().requires_grad_(False)


def example(case: Case) -> tuple[Tensor, ...]:
    """Return example inputs of the model: standard normal, in the dtype of the weights."""
    dtype = next(iter(case.setup.values())).dtype
    shape = tuple(case.static["input"])
    return (torch.randn(shape, generator=generator(0, "example"), dtype=torch.float64).to(dtype),)


def weights(
    static: Mapping[str, Any], seed: int, scope: str, dtype: torch.dtype
) -> dict[str, Tensor]:
    """Draw the weights: normal, of a variance that keeps the size of the signal; gains about 1."""
    found = {}
    for name, empty in _empty(static).state_dict().items():
        values = draw(tuple(empty.shape), "normal", generator(seed, scope, name), torch.float64)
        if empty.ndim > 1:
            values *= math.sqrt(2 / math.prod(empty.shape[1:]))
        else:
            values = 0.1 * values + (1.0 if name.endswith("weight") else 0.0)
        found[name] = values.to(dtype)
    return found


def generate(work: Workload, seed: int, dtype: torch.dtype) -> Case:
    """Draw the weights (setup) and the input x of a workload."""
    shape = shape_of(work)
    static: dict[str, Any] = {
        name: work.params[name] for name in ("model", "width", "depth", "classes")
    }
    static["input"] = list(shape)
    x = draw(shape, work.distribution, generator(seed, work.name, "x"), dtype)
    return Case(
        tensors={"x": lay(x, work.layout)},
        static=static,
        setup=weights(static, seed, work.name, dtype),
    )


def shape_of(work: Workload) -> Shape:
    """Return the shape of x."""
    return tuple(int(size) for size in str(work.params["input"]).split("x"))


def workload(
    name: str, model: str, shape: Shape, width: int, depth: int, **rest: object
) -> Workload:
    """Return a workload of one model; 16 classes."""
    params: dict[str, Scalar] = {
        "model": model,
        "input": "x".join(map(str, shape)),
        "width": width,
        "depth": depth,
        "classes": 16,
    }
    return dataclasses.replace(Workload(name=name, params=params), **rest)  # type: ignore[arg-type] # checked by dataclass field names


_BOTH = ("accuracy", "speed")
_EDGE = ("edge",)

WORKLOADS = (
    workload("mlp", "mlp", (32, 256), 256, 3, purpose=_BOTH),
    workload("transformer", "transformer", (1, 32, 128), 128, 2, purpose=_BOTH),
    workload("conv", "conv", (2, 3, 32, 32), 32, 3, purpose=_BOTH),
    workload("mlp-uniform", "mlp", (17, 96), 96, 2, distribution="uniform"),
    workload("transformer-sparse", "transformer", (2, 13, 64), 64, 1, distribution="sparse"),
    workload("conv-sorted", "conv", (3, 3, 17, 19), 16, 1, distribution="sorted"),
    workload("mlp-one-row", "mlp", (1, 64), 64, 2, purpose=_EDGE),
    workload("transformer-one-token", "transformer", (1, 1, 64), 64, 1, purpose=_EDGE),
    workload("mlp-zeros", "mlp", (8, 64), 64, 2, purpose=_EDGE, distribution="zeros"),
    workload("mlp-transposed", "mlp", (8, 64), 64, 2, purpose=_EDGE, layout="transposed"),
)


def hidden(seed: int) -> tuple[Workload, ...]:
    """Return the hidden workloads of a secret seed: other sizes and weights."""
    return tuple(_unseen(chooser(seed, "models")))


def _unseen(pick: random.Random) -> Iterator[Workload]:
    rows, tokens, edge = pick.choice((7, 19, 31)), pick.choice((5, 11, 23)), pick.choice((13, 21))
    width = 8 * pick.choice((5, 9, 13))
    yield workload("hidden-mlp", "mlp", (rows, width), width, pick.randint(1, 4))
    yield workload("hidden-transformer", "transformer", (2, tokens, width), width, 1)
    yield workload("hidden-conv", "conv", (2, 3, edge, edge + 2), 4 * pick.choice((3, 5, 9)), 1)
    yield workload("hidden-speed", "mlp", (rows + 16, 2 * width), 2 * width, 3, purpose=("speed",))


def cap_scale(work: Workload) -> float:
    """Widen the cap by the root of the longest reduction and by the depth, as errors add up."""
    width, depth = int(str(work.params["width"])), int(str(work.params["depth"]))
    reduced = {"mlp": width, "transformer": 4 * width, "conv": 9 * width}[str(work.params["model"])]
    return depth * math.sqrt(reduced)


def cost(work: Workload, dtype: torch.dtype) -> Cost:
    """Count two operations a weight and place, every weight read once, input and output once."""
    static = {name: work.params[name] for name in ("model", "width", "depth", "classes")}
    shape = shape_of(work)
    sizes = {name: w.numel() for name, w in _empty(static).state_dict().items() if w.ndim > 1}
    places = math.prod(shape[:-1]) if work.params["model"] != "conv" else shape[0]
    flops = 2.0 * places * sum(sizes.values())
    if work.params["model"] == "conv":
        # The first convolution has stride 1, each further one quarters the area.
        for i, count in enumerate(list(sizes.values())[:-1]):
            flops += 2.0 * shape[0] * count * math.prod(shape[2:]) / 4**i
    moved = sum(sizes.values()) + math.prod(shape) + places * 16
    return Cost(flops=flops, bytes=float(moved * element_bytes(dtype)))
