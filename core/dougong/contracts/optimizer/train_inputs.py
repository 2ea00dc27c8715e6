"""Workloads, inputs and cost of `optimizer.train@1`: short trajectories under given gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from dougong.contracts.definition import Case, Cost, Workload
from dougong.contracts.functional import element_bytes
from dougong.contracts.sampling import Shape, chooser, draw, generator, lay

_SHAPES = {
    # Two of a shape, so that state kept by shape in place of parameter shows.
    "layers": "32x12,32,32x12,12x40,32,12",
    "convolution": "9x4x3x3,9,5x7",
    "primes": "13x7,31,7x29,3",
    "size-1": "1,1x1",
}
_EVERYWHERE = "order follows still absent"
"""Laws held of every operator; `resume`, `schedule` and `groups` are features."""
FEATURES = ("resume", "schedule", "groups")
_GRADIENT = 0.06
"""Size of a drawn gradient; an element of a parameter is 0.5 or more, to either side."""


def _workload(
    name: str,
    shapes: str,
    steps: int = 4,
    *,
    asks: str = "",
    purpose: str = "accuracy",
    distribution: str = "normal",
    layout: str = "contiguous",
) -> Workload:
    return Workload(
        name=name,
        params={"shapes": _SHAPES.get(shapes, shapes), "steps": steps, "asks": asks},
        distribution=distribution,
        layout=layout,
        purpose=("edge",) if purpose == "edge" else ("accuracy",),
        features=tuple(feature for feature in FEATURES if feature in asks.split()),
    )


def _public() -> Iterator[Workload]:
    yield _workload("layers", "layers", 6, asks=_EVERYWHERE)
    yield _workload("convolution", "convolution", 6, asks=_EVERYWHERE)
    yield _workload("resumed", "layers", 6, asks="resume")
    yield _workload("resumed-convolution", "convolution", 5, asks="resume")
    yield _workload("scheduled", "layers", 8, asks="schedule")
    yield _workload("grouped", "layers", 8, asks="groups")
    yield _workload("heavy", "layers", 4, distribution="heavy")
    yield _workload("sparse", "layers", 4, distribution="sparse")
    yield _workload("first-step", "primes", 1, purpose="edge")
    yield _workload("size-1", "size-1", purpose="edge")
    yield _workload("transposed", "layers", purpose="edge", layout="transposed", asks="order")
    for values in ("tiny", "zeros", "zero-rows"):
        yield _workload(values, "primes", purpose="edge", distribution=values)


WORKLOADS = tuple(_public())


def hidden(seed: int) -> tuple[Workload, ...]:
    """Return the hidden workloads of a secret seed."""
    pick = chooser(seed, "optimizer.train@1")
    return tuple(
        _workload(
            f"hidden-{i}",
            ",".join(
                (
                    f"{pick.choice((17, 31, 43))}x{pick.choice((3, 5, 7))}",
                    str(pick.choice((5, 11, 29))),
                    f"{pick.choice((3, 9, 21))}x{pick.choice((13, 19, 37))}",
                )
            ),
            pick.randint(2, 6),
            distribution=pick.choice(("normal", "uniform", "sparse")),
            layout=pick.choice(("contiguous", "transposed", "offset")),
        )
        for i in range(3)
    )


def shapes_of(work: Workload) -> list[Shape]:
    """Return the shape of each parameter, written `32x12,32` in the parameters."""
    return [
        tuple(int(size) for size in text.split("x"))
        for text in str(work.params["shapes"]).split(",")
    ]


def generate(work: Workload, seed: int, dtype: torch.dtype) -> Case:
    """Draw parameters p0, p1, ... and gradients g0_0 (step 0, parameter 0), ..."""
    steps = int(str(work.params["steps"]))
    tensors: dict[str, Tensor | None] = {}
    for i, shape in enumerate(shapes_of(work)):
        values = draw(shape, "normal", generator(seed, work.name, f"p{i}"), torch.float64)
        # Away from zero, because how far a few steps may lead is measured by the parameter's size.
        values = values.sign() * (0.5 + 0.25 * values.abs())
        tensors[f"p{i}"] = lay(values.to(dtype), work.layout)
        for s in range(steps):
            source = generator(seed, work.name, f"g{s}_{i}")
            drawn = _GRADIENT * draw(shape, work.distribution, source, torch.float64)
            tensors[f"g{s}_{i}"] = lay(drawn.to(dtype), work.layout)
    asks = str(work.params["asks"]).split()
    return Case(tensors=tensors, static={"steps": steps, "asks": asks})


def cost(work: Workload, dtype: torch.dtype) -> Cost:
    """Count what no rule can do without: read a gradient, read and write a parameter."""
    elements = sum(math.prod(shape) for shape in shapes_of(work))
    steps = int(str(work.params["steps"]))
    return Cost(
        flops=2.0 * steps * elements, bytes=float(3 * steps * elements * element_bytes(dtype))
    )
