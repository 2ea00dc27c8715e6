"""What the activation contracts share: workloads, inputs, laws and cost."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from dougong.contracts.definition import Case, Cost, Law, Scalar, Workload
from dougong.contracts.functional import element_bytes
from dougong.contracts.laws import apart, tensor_of
from dougong.contracts.sampling import Shape, chooser, draw, generator, lay

_SPEED = {"bert-mlp": (4, 128, 3072), "vit-mlp": (2, 197, 1536), "llama-mlp": (1, 256, 5632)}
_VALUES = ("normal", "uniform", "shifted", "heavy", "sparse", "sorted", "spikes")
_PRIMES = (2, 3, 7, 17, 31, 61, 127, 251, 509)
_FACTORS = {"uniform": 8.0, "sorted": 3.0}
_EDGE_SHAPES: dict[str, Shape] = {
    "size-1": (1,),
    "primes": (7, 13, 127),
    "empty": (0, 8),
    "scalar": (),
    "tail-of-vector": (3, 17),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    """One choice of an activation's statics, with the workloads that ask for it."""

    prefix: str = ""
    """Put before the name of its workloads."""
    statics: Mapping[str, Scalar] = dataclasses.field(default_factory=dict)
    features: tuple[str, ...] = ()
    speed: tuple[str, ...] = tuple(_SPEED)
    """Which of the speed shapes it is timed on."""

    def workload(self, name: str, shape: Shape, **rest: object) -> Workload:
        """Return a workload with `shape` written `4x128x768` beside the statics."""
        params: dict[str, Scalar] = {"shape": "x".join(map(str, shape)), **self.statics}
        plain = Workload(name=self.prefix + name, params=params, features=self.features)
        return dataclasses.replace(plain, **rest)  # type: ignore[arg-type] # checked by dataclass field names


def workloads(*settings: Setting) -> tuple[Workload, ...]:
    """Return the public workloads of an activation, by default of its one setting."""
    return tuple(work for setting in settings or (Setting(),) for work in _public(setting))


def _public(setting: Setting) -> Iterator[Workload]:
    made = setting.workload
    for values in _VALUES:
        yield made(f"values-{values}", (5, 13, 128), distribution=values)
    for name in setting.speed:
        yield made(name, _SPEED[name], purpose=("accuracy", "speed"))
    for name, shape in _EDGE_SHAPES.items():
        yield made(name, shape, purpose=("edge",))
    for values in ("tiny", "large", "zeros"):
        yield made(f"edge-{values}", (3, 7, 96), purpose=("edge",), distribution=values)
    for layout in ("transposed", "offset", "expanded"):
        yield made(f"layout-{layout}", (3, 7, 33), purpose=("edge",), layout=layout)


def hidden(scope: str, *settings: Setting) -> Callable[[int], tuple[Workload, ...]]:
    """Return the hidden workloads, by secret seed."""

    def drawn(seed: int) -> tuple[Workload, ...]:
        pick = chooser(seed, scope)
        return tuple(
            work for setting in settings or (Setting(),) for work in _unseen(setting, pick)
        )

    return drawn


def _unseen(setting: Setting, pick: random.Random) -> Iterator[Workload]:
    for i in range(6):
        leading = tuple(pick.choice(_PRIMES[:5]) for _ in range(pick.randint(0, 2)))
        yield setting.workload(
            f"hidden-{i}",
            (*leading, pick.choice(_PRIMES[4:])),
            distribution=pick.choice((*_VALUES, "tiny", "large")),
            layout=pick.choice(("contiguous", "contiguous", "transposed", "offset")),
        )
    for name in setting.speed:
        *leading_sizes, last = _SPEED[name]
        shape = (*leading_sizes, last + pick.choice((-3, -1, 1, 5)))
        yield setting.workload(f"hidden-{name}", shape, purpose=("speed",))


def shape_of(work: Workload) -> Shape:
    """Return the shape of the input."""
    text = str(work.params["shape"])
    return tuple(int(size) for size in text.split("x")) if text else ()


def generator_for(*names: str) -> Callable[[Workload, int, torch.dtype], Case]:
    """Return the `generate` of an activation with call tensors `names` of one shape.

    Uniform values reach 8 and sorted ones about 12, to cover the bends and both tails.
    """

    def generate(work: Workload, seed: int, dtype: torch.dtype) -> Case:
        factor = _FACTORS.get(work.distribution, 1.0)
        tensors: dict[str, Tensor | None] = {}
        for name in names:
            source = generator(seed, work.name, name)
            values = factor * draw(shape_of(work), work.distribution, source, torch.float64)
            tensors[name] = lay(values.to(dtype), work.layout)
        return Case(
            tensors=tensors,
            static={k: v for k, v in work.params.items() if k != "shape"},
            differentiable=names,
        )

    return generate


def cost(tensors_read: int, flops_per_element: float) -> Callable[[Workload, torch.dtype], Cost]:
    """Return the cost model: every input read once, the output written once."""

    def least(work: Workload, dtype: torch.dtype) -> Cost:
        elements = math.prod(shape_of(work))
        moved = (tensors_read + 1) * elements * element_bytes(dtype)
        return Cost(flops=flops_per_element * elements, bytes=float(moved))

    return least


def _tails(case: Case, seed: int) -> Case | None:
    x = tensor_of(case, "x")
    sign = torch.where(torch.arange(x.numel()) % 2 == 0, 1.0, -1.0).reshape(x.shape)
    distance = 100 + 100 * torch.rand(x.shape, generator=generator(seed, "tails"))
    return dataclasses.replace(case, tensors={"x": (sign * distance).to(x.dtype)})


def _asymptotes(
    case: Case, outputs: tuple[Tensor, ...], changed: Case, found: tuple[Tensor, ...]
) -> str | None:
    x = tensor_of(changed, "x")
    return apart(x.clamp_min(0), found[0], ulps=1, what="f(x) and max(x, 0) for |x| >= 100")


TAILS = Law(
    name="asymptotes",
    summary="f(x) = x far to the right and 0 far to the left",
    variant=_tails,
    violation=_asymptotes,
)


def _reversed(case: Case, seed: int) -> Case | None:
    return dataclasses.replace(
        case,
        tensors={
            name: None if value is None else value.flatten().flip(0).reshape(value.shape)
            for name, value in case.tensors.items()
        },
    )


def _same_place(
    case: Case, outputs: tuple[Tensor, ...], changed: Case, found: tuple[Tensor, ...]
) -> str | None:
    back = found[0].flatten().flip(0).reshape(outputs[0].shape)
    # A vectorised loop may round its tail differently from its body.
    return apart(outputs[0], back, ulps=4, what="f of the elements in reverse order")


POINTWISE = Law(
    name="pointwise",
    summary="An output element depends on its own input element alone, not on its place",
    variant=_reversed,
    violation=_same_place,
)
