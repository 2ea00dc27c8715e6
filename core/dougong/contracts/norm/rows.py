"""What the norms over the last dimension share: workloads, inputs, laws and cost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch
from torch import Tensor

from dougong.contracts.definition import Case, Cost, Law, Scalar, Workload
from dougong.contracts.functional import element_bytes
from dougong.contracts.laws import apart, edited, tensor_of
from dougong.contracts.sampling import Shape, chooser, draw, generator, lay

_SPEED = {
    "bert-base": ((4, 128, 768), 1.0),
    "llama-1b-prefill": ((1, 512, 2048), 1.0),
    "vit-small": ((8, 197, 384), 1.0),
}
_ACCURACY = ("normal", "uniform", "shifted", "heavy", "sparse", "sorted", "spikes")
_PRIMES = (3, 5, 7, 13, 31, 61, 127, 257, 509)


def workloads(eps: float, affine: tuple[str, ...]) -> tuple[Workload, ...]:
    """Return the public workloads of a norm whose affine tensors are named `affine`."""
    full, first = ",".join(affine), affine[0]
    accuracy = [
        _workload(f"values-{name}", (6, 17, 192), eps, full, distribution=name)
        for name in _ACCURACY
    ]
    speed = [
        _workload(name, shape, eps, full, purpose=("accuracy", "speed"), weight=weight)
        for name, (shape, weight) in _SPEED.items()
    ]
    return (
        *accuracy,
        _workload("affine-none", (4, 9, 128), eps, ""),
        _workload("affine-weight", (4, 9, 128), eps, first),
        _workload("eps-matters", (5, 11, 64), 1e-3, full, distribution="tiny"),
        *speed,
        *_edges(eps, full),
    )


def _edges(eps: float, full: str) -> tuple[Workload, ...]:
    shapes = {
        "size-1": (1, 1, 1),
        "row-of-1": (3, 5, 1),
        "one-dimension": (37,),
        "primes": (7, 13, 127),
        "long-row": (2, 10007),
        "empty-batch": (0, 16),
    }
    values = ("tiny", "large", "constant-rows", "zero-rows", "zeros")
    return (
        *(_workload(name, shape, eps, full, purpose=("edge",)) for name, shape in shapes.items()),
        *(
            _workload(f"edge-{name}", (3, 7, 128), eps, full, purpose=("edge",), distribution=name)
            for name in values
        ),
        *(
            _workload(f"layout-{name}", (3, 7, 33), eps, full, purpose=("edge",), layout=name)
            for name in ("transposed", "offset", "expanded")
        ),
    )


def hidden(
    scope: str, eps: float, affine: tuple[str, ...]
) -> Callable[[int], tuple[Workload, ...]]:
    """Return the hidden workloads of a norm, by secret seed."""

    def drawn(seed: int) -> tuple[Workload, ...]:
        pick = chooser(seed, scope)
        full = ",".join(affine)
        some = [
            _workload(
                f"hidden-{i}",
                (pick.randint(1, 9), pick.choice(_PRIMES[:6]), pick.choice(_PRIMES[3:])),
                eps * pick.choice((1.0, 10.0, 0.1)),
                pick.choice((full, affine[0], "")),
                distribution=pick.choice((*_ACCURACY, "tiny", "large", "zero-rows")),
                layout=pick.choice(("contiguous", "contiguous", "transposed", "offset")),
            )
            for i in range(8)
        ]
        speed = [
            _workload(
                f"hidden-{name}",
                (*shape[:-2], shape[-2] + pick.randint(1, 9), shape[-1] + pick.choice((-1, 1, 3))),
                eps,
                full,
                purpose=("speed",),
                weight=weight,
            )
            for name, (shape, weight) in _SPEED.items()
        ]
        return (*some, *speed)

    return drawn


def _workload(name: str, shape: Shape, eps: float, affine: str, **rest: object) -> Workload:
    params: dict[str, Scalar] = {
        "shape": "x".join(map(str, shape)),
        "eps": eps,
        "affine": affine,
    }
    return dataclasses.replace(Workload(name=name, params=params), **rest)  # type: ignore[arg-type] # checked by dataclass field names


def shape_of(workload: Workload) -> Shape:
    """Return the shape of x, written `4x128x768` in the parameters."""
    return tuple(int(size) for size in str(workload.params["shape"]).split("x"))


def generator_for(affine: tuple[str, ...]) -> Callable[[Workload, int, torch.dtype], Case]:
    """Return the `generate` of a norm over the last dimension.

    Affine tensors have D entries, weight about 1 and bias about 0; absent ones are None.
    """

    def generate(workload: Workload, seed: int, dtype: torch.dtype) -> Case:
        shape = shape_of(workload)
        source = generator(seed, workload.name, "x")
        x = lay(draw(shape, workload.distribution, source, dtype), workload.layout)
        given = str(workload.params["affine"]).split(",")
        tensors: dict[str, Tensor | None] = {"x": x}
        for name in affine:
            values = draw(shape[-1:], "normal", generator(seed, workload.name, name), torch.float64)
            offset = 1.0 if name == "weight" else 0.0
            tensors[name] = (offset + 0.2 * values).to(dtype) if name in given else None
        return Case(
            tensors=tensors,
            static={"eps": workload.params["eps"]},
            differentiable=("x", *affine),
        )

    return generate


def cost(flops_per_element: float) -> Callable[[Workload, torch.dtype], Cost]:
    """Return the cost model: x read once, y written once, parameters read once."""

    def least(workload: Workload, dtype: torch.dtype) -> Cost:
        shape = shape_of(workload)
        elements = math.prod(shape)
        parameters = shape[-1] * len([a for a in str(workload.params["affine"]).split(",") if a])
        moved = (2 * elements + parameters) * element_bytes(dtype)
        return Cost(flops=flops_per_element * elements, bytes=moved)

    return least


def _scaled(case: Case, seed: int) -> Case | None:
    x = tensor_of(case, "x")
    # Powers of two, so that no input is rounded; a factor below 1, so that none overflows.
    if x.numel() == 0 or float(x.abs().max()) < 1e-2:
        return None
    static = {**case.static, "eps": float(case.static["eps"]) / 16}
    return dataclasses.replace(edited(case, x=x / 4), static=static)


def _same(
    case: Case, outputs: tuple[Tensor, ...], changed: Case, found: tuple[Tensor, ...]
) -> str | None:
    return apart(outputs[0], found[0], ulps=4, what="norm(x / 4, eps / 16) and norm(x, eps)")


SCALE = Law(
    name="scale",
    summary="norm(x / 4, eps / 16) = norm(x, eps)",
    variant=_scaled,
    violation=_same,
)


def _others_changed(case: Case, seed: int) -> Case | None:
    x = tensor_of(case, "x")
    if x.ndim < 2 or len(x) < 2:
        return None
    values = draw(tuple(x.shape), "normal", generator(seed, "others"), x.dtype)
    values[0] = x[0]
    return edited(case, x=values)


def _first_equal(
    case: Case, outputs: tuple[Tensor, ...], changed: Case, found: tuple[Tensor, ...]
) -> str | None:
    return apart(outputs[0][0], found[0][0], ulps=2, what="output 0 when other rows change")


INDEPENDENCE = Law(
    name="independence",
    summary="An output depends on its own row (or sample) alone",
    variant=_others_changed,
    violation=_first_equal,
)
