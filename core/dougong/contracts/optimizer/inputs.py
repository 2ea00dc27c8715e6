"""Workloads, inputs and cost of the optimizer contract."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from dougong.contracts.definition import Case, Cost, Scalar, Workload
from dougong.contracts.functional import element_bytes
from dougong.contracts.sampling import Shape, chooser, draw, generator, lay

HYPERPARAMETERS: dict[str, dict[str, dict[str, Any]]] = {
    "adamw": {
        "plain": {"lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0},
        "decayed": {"lr": 3e-3, "betas": [0.9, 0.95], "eps": 1e-6, "weight_decay": 0.1},
    },
    "sgd-momentum": {
        "plain": {"lr": 1e-2, "momentum": 0.9, "weight_decay": 0.0, "nesterov": False},
        "decayed": {"lr": 5e-2, "momentum": 0.95, "weight_decay": 0.05, "nesterov": True},
    },
    "lion": {
        "plain": {"lr": 1e-4, "betas": [0.9, 0.99], "weight_decay": 0.0},
        "decayed": {"lr": 1e-3, "betas": [0.95, 0.98], "weight_decay": 0.3},
    },
    "muon": {
        "plain": {"lr": 2e-2, "momentum": 0.95, "nesterov": True, "weight_decay": 0.0},
        "decayed": {"lr": 1e-2, "momentum": 0.9, "nesterov": False, "weight_decay": 0.1},
    },
    "adafactor": {
        "plain": {
            "lr": 1e-2,
            "beta2_decay": -0.8,
            "eps": [1e-6, 1e-3],
            "d": 1.0,
            "weight_decay": 0.0,
        },
        "decayed": {
            "lr": 3e-2,
            "beta2_decay": -0.6,
            "eps": [1e-5, 1e-3],
            "d": 2.0,
            "weight_decay": 0.1,
        },
    },
}
"""variant -> setting -> keyword arguments of the optimizer, as JSON (pairs as lists)."""

_SHAPES = {
    "layers": "32x12,32,12x40,12",
    "convolution": "9x4x3x3,9,5x7",
    "mlp": "256x256,256,256x512,512",
    "embedding": "2048x128,128x256,256",
    "primes": "13x7,31,7x29,3",
    "size-1": "1,1x1",
}
_MATRICES = {
    "layers": "32x12,12x40",
    "convolution": "36x9,5x15",
    "mlp": "96x24,24x96,32x64",
    "embedding": "192x32,32x128",
    "primes": "31x7,7x29",
    "size-1": "1x1",
}
"""What Muon gets: matrices only, and oblong; see `dougong.contracts.optimizer.step`."""

_ELEMENTS_MOVED = {"adamw": 7, "sgd-momentum": 5, "lion": 5, "muon": 5, "adafactor": 3}
"""Reads and writes of a parameter-sized tensor that one step cannot do without."""


def _workload(
    variant: str, name: str, shapes: str, setting: str = "plain", steps: int = 4, **rest: object
) -> Workload:
    table = _MATRICES if variant == "muon" else _SHAPES
    params: dict[str, Scalar] = {
        "variant": variant,
        "shapes": table.get(shapes, shapes),
        "setting": setting,
        "steps": steps,
    }
    plain = Workload(name=f"{variant}-{name}", params=params, features=(f"variant:{variant}",))
    return dataclasses.replace(plain, **rest)  # type: ignore[arg-type] # checked by dataclass field names


def _public(variant: str) -> Iterator[Workload]:
    speed, edge = ("accuracy", "speed"), ("edge",)
    yield _workload(variant, "plain", "layers")
    yield _workload(variant, "decayed", "layers", "decayed")
    yield _workload(variant, "convolution", "convolution", "decayed", 3)
    yield _workload(variant, "long", "primes", "decayed", 25)
    yield _workload(variant, "heavy", "layers", steps=5, distribution="heavy")
    yield _workload(variant, "sparse", "layers", steps=5, distribution="sparse")
    yield _workload(variant, "mlp", "mlp", "decayed", 2, purpose=speed)
    yield _workload(variant, "embedding", "embedding", "plain", 2, purpose=speed)
    yield _workload(variant, "first-step", "layers", steps=1, purpose=edge)
    yield _workload(variant, "size-1", "size-1", "decayed", purpose=edge)
    yield _workload(variant, "primes", "primes", purpose=edge)
    yield _workload(variant, "transposed", "layers", purpose=edge, layout="transposed")
    for values in ("tiny", "large", "zeros", "zero-rows"):
        yield _workload(variant, values, "layers", "decayed", purpose=edge, distribution=values)


WORKLOADS = tuple(work for variant in HYPERPARAMETERS for work in _public(variant))


def hidden(seed: int) -> tuple[Workload, ...]:
    """Return the hidden workloads of a secret seed, for every variant."""
    pick = chooser(seed, "optimizer.step@1")
    return tuple(work for variant in HYPERPARAMETERS for work in _unseen(variant, pick))


def _unseen(variant: str, pick: random.Random) -> Iterator[Workload]:
    for i in range(4):
        matrices = [f"{pick.choice((17, 31, 43))}x{pick.choice((3, 5, 7))}" for _ in range(2)]
        others = [] if variant == "muon" else [str(pick.choice((1, 11, 29))), "3x5x7"]
        yield _workload(
            variant,
            f"hidden-{i}",
            ",".join((*matrices, *others)),
            pick.choice(("plain", "decayed")),
            pick.randint(2, 9),
            distribution=pick.choice(("normal", "uniform", "heavy", "sparse")),
            layout=pick.choice(("contiguous", "transposed", "offset")),
        )
    larger = (128, 24) if variant == "muon" else (512, 128)
    rows, columns = (size + pick.randint(1, 9) for size in larger)
    yield _workload(variant, "hidden-speed", f"{rows}x{columns}", "decayed", 2, purpose=("speed",))


def shapes_of(work: Workload) -> list[Shape]:
    """Return the shape of each parameter, written `32x12,32` in the parameters."""
    return [
        tuple(int(size) for size in text.split("x"))
        for text in str(work.params["shapes"]).split(",")
    ]


def generate(work: Workload, seed: int, dtype: torch.dtype) -> Case:
    """Draw parameters (normal, 0.5) and gradients (the distribution of the workload).

    Lion's gradients are moved away from where the sign of its momentum hangs on a rounding.
    """
    variant, setting = str(work.params["variant"]), str(work.params["setting"])
    hyperparameters = HYPERPARAMETERS[variant][setting]
    steps = int(str(work.params["steps"]))
    tensors: dict[str, Tensor | None] = {}
    for i, shape in enumerate(shapes_of(work)):
        values = draw(shape, "normal", generator(seed, work.name, f"p{i}"), torch.float64)
        tensors[f"p{i}"] = lay((0.5 * values).to(dtype), work.layout)
        gradients = [
            draw(shape, work.distribution, generator(seed, work.name, f"g{s}_{i}"), dtype)
            for s in range(steps)
        ]
        if variant == "lion":
            gradients = _decided(gradients, *hyperparameters["betas"])
        tensors.update({f"g{s}_{i}": lay(g, work.layout) for s, g in enumerate(gradients)})
    static = {"variant": variant, "steps": steps, "hyperparameters": hyperparameters}
    return Case(tensors=tensors, static=static)


def _decided(gradients: list[Tensor], first: float, second: float) -> list[Tensor]:
    """Double the gradient where it cancels the momentum to within a rounding."""
    m = torch.zeros_like(gradients[0], dtype=torch.float64)
    decided = []
    for gradient in gradients:
        g = gradient.double()
        parts = (first * m).abs() + ((1 - first) * g).abs()
        close = (first * m + (1 - first) * g).abs() < 1e-4 * parts
        g = torch.where(close, 2 * g, g)
        m = second * m + (1 - second) * g
        decided.append(g.to(gradient.dtype))
    return decided


def cap_scale(work: Workload) -> float:
    """Widen the cap of Muon to a tenth of what its steps move: bfloat16 does no better."""
    if work.params["variant"] != "muon":
        return 1.0
    lr = HYPERPARAMETERS["muon"][str(work.params["setting"])]["lr"]
    tallest = max(math.sqrt(max(1.0, rows / columns)) for rows, columns in shapes_of(work))
    return max(1.0, 0.1 * float(lr) * tallest * int(str(work.params["steps"])) / 1e-5)


def cost(work: Workload, dtype: torch.dtype) -> Cost:
    """Count the tensors a step must read and write, and for Muon its matrix products."""
    variant, steps = str(work.params["variant"]), int(str(work.params["steps"]))
    shapes = shapes_of(work)
    elements = sum(math.prod(shape) for shape in shapes)
    flops = 8.0 * elements
    if variant == "muon":
        for shape in shapes:
            small, large = sorted(shape)
            flops += 5 * (4.0 * small * small * large + 2.0 * small**3)
    moved = _ELEMENTS_MOVED[variant] * elements * element_bytes(dtype)
    return Cost(flops=steps * flops, bytes=float(steps * moved))
