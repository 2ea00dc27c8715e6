"""Group normalisation: `norm.group@1`.

Paper: Wu & He, "Group Normalization", 2018, arXiv:1803.08494, eq. 1, 2 and 7.

Shape suffixes: N = batch, C = channels, X = any further dimensions.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor
from torch.nn import functional

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.definition import Case, Contract, Cost, Scalar, Workload
from dougong.contracts.functional import binder, element_bytes, in_float32
from dougong.contracts.norm import rows
from dougong.contracts.sampling import Shape, chooser, draw, generator, lay

_EPS = 1e-5
_VALUES = ("normal", "uniform", "shifted", "heavy", "sparse", "sorted", "spikes")


def group_norm(
    x_NCX: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    eps: float,
) -> Tensor:
    """Shift and scale each group of channels of each sample to mean 0 and variance 1.

    y = weight * (x - mean(x)) / sqrt(var(x) + eps) + bias, with mean and biased variance over the
    channels of one group and all further dimensions, gain and bias per channel.

    Args:
        x_NCX: Input, shape (N, C, *); floating point; any strides.
        num_groups: Number of groups of neighbouring channels; must divide C.
        weight: Gain, shape (C,), or None for 1; same dtype and device as `x_NCX`.
        bias: Offset, shape (C,), or None for 0; same dtype and device as `x_NCX`.
        eps: Added to the variance, in units of x squared; must be > 0.

    Returns:
        Shape, dtype and device of `x_NCX`.

    Raises:
        ValueError: `eps` is not positive, or `num_groups` does not divide C.

    Example:
        >>> group_norm(torch.tensor([[1.0, 3.0, 5.0, 9.0]]), 2, eps=1e-12)
        tensor([[-1.,  1., -1.,  1.]])
    """
    channels = x_NCX.shape[1]
    if eps <= 0:
        raise ValueError(f"eps must be positive, got {eps}")
    if num_groups < 1 or channels % num_groups:
        raise ValueError(f"num_groups must divide the {channels} channels, got {num_groups}")
    width = math.prod(x_NCX.shape[1:]) // num_groups
    x_NGV = x_NCX.reshape(len(x_NCX), num_groups, width)
    centred = x_NGV - x_NGV.mean(-1, keepdim=True)
    scaled = centred * torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)
    y = scaled.reshape(x_NCX.shape)
    per_channel = (channels, *(1,) * (x_NCX.ndim - 2))
    y = y if weight is None else y * weight.reshape(per_channel)
    return y if bias is None else y + bias.reshape(per_channel)


def group_norm_torch(
    x_NCX: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    eps: float,
) -> Tensor:
    """Compute the same with `torch.nn.functional.group_norm`."""
    return functional.group_norm(x_NCX, num_groups, weight, bias, eps)


group_norm_float32 = in_float32(group_norm)


def _generate(workload: Workload, seed: int, dtype: torch.dtype) -> Case:
    shape = rows.shape_of(workload)
    source = generator(seed, workload.name, "x")
    tensors: dict[str, Tensor | None] = {
        "x": lay(draw(shape, workload.distribution, source, dtype), workload.layout)
    }
    for name, offset in (("weight", 1.0), ("bias", 0.0)):
        values = draw(shape[1:2], "normal", generator(seed, workload.name, name), torch.float64)
        given = name in str(workload.params["affine"]).split(",")
        tensors[name] = (offset + 0.2 * values).to(dtype) if given else None
    return Case(
        tensors=tensors,
        static={"num_groups": workload.params["groups"], "eps": workload.params["eps"]},
        differentiable=("x", "weight", "bias"),
    )


def _cost(workload: Workload, dtype: torch.dtype) -> Cost:
    elements = math.prod(rows.shape_of(workload))
    return Cost(flops=8.0 * elements, bytes=2.0 * elements * element_bytes(dtype))


def _workload(
    name: str, shape: Shape, groups: int, affine: str = "weight,bias", **rest: object
) -> Workload:
    params: dict[str, Scalar] = {
        "shape": "x".join(map(str, shape)),
        "groups": groups,
        "eps": _EPS,
        "affine": affine,
    }
    return dataclasses.replace(Workload(name=name, params=params), **rest)  # type: ignore[arg-type] # checked by dataclass field names


_SPEED = (
    _workload("unet-32", (2, 128, 32, 32), 32, purpose=("accuracy", "speed")),
    _workload("unet-64", (1, 128, 64, 64), 32, purpose=("accuracy", "speed")),
    _workload("wav2vec", (4, 256, 256), 8, purpose=("accuracy", "speed")),
)

_WORKLOADS = (
    *(_workload(f"values-{v}", (3, 12, 7, 9), 4, distribution=v) for v in _VALUES),
    _workload("affine-none", (2, 16, 33), 8, affine=""),
    _workload("affine-weight", (2, 16, 33), 8, affine="weight"),
    _workload("one-group", (3, 10, 5, 5), 1),
    _workload("group-a-channel", (3, 10, 5, 5), 10),
    _workload("eps-matters", (3, 8, 6, 6), 2, distribution="tiny"),
    *_SPEED,
    _workload("size-4", (1, 1, 4), 1, purpose=("edge",)),
    _workload("two-dimensions", (5, 24), 6, purpose=("edge",)),
    _workload("volume", (2, 6, 3, 5, 7), 3, purpose=("edge",)),
    _workload("primes", (3, 7, 13, 11), 7, purpose=("edge",)),
    _workload("empty-batch", (0, 8, 4), 4, purpose=("edge",)),
    *(
        _workload(f"edge-{v}", (3, 8, 8, 8), 4, purpose=("edge",), distribution=v)
        for v in ("tiny", "large", "constant-rows", "zero-rows", "zeros")
    ),
    *(
        _workload(f"layout-{layout}", (3, 8, 5, 7), 4, purpose=("edge",), layout=layout)
        for layout in ("transposed", "offset", "expanded")
    ),
)


def _hidden(seed: int) -> tuple[Workload, ...]:
    pick = chooser(seed, "norm.group@1")
    some = []
    for i in range(8):
        groups = pick.choice((1, 2, 3, 5, 7))
        shape = (pick.randint(1, 5), groups * pick.choice((2, 3, 5)), pick.choice((5, 11, 17)))
        shape_X = (*shape, pick.choice((3, 7, 13)))
        some.append(
            _workload(
                f"hidden-{i}",
                pick.choice((shape, shape_X)),
                groups,
                pick.choice(("weight,bias", "weight", "")),
                distribution=pick.choice((*_VALUES, "tiny", "large", "zero-rows")),
                layout=pick.choice(("contiguous", "contiguous", "transposed", "offset")),
            )
        )
    speed = [
        dataclasses.replace(
            workload,
            name=f"hidden-{workload.name}",
            purpose=("speed",),
            params={**workload.params, "shape": _odd(rows.shape_of(workload), pick.randint(1, 3))},
        )
        for workload in _SPEED
    ]
    return (*some, *speed)


def _odd(shape: Shape, more: int) -> str:
    return "x".join(map(str, (*shape[:2], *(size + more for size in shape[2:]))))


CONTRACT = Contract(
    id="norm.group@1",
    summary="Group normalisation over channels",
    signature="f(x_NCX, num_groups, weight=None, bias=None, *, eps) -> y",
    paper="arXiv:1803.08494",
    reference=group_norm,
    baselines={
        "torch": "dougong.contracts.norm.group:group_norm_torch",
        "float32": "dougong.contracts.norm.group:group_norm_float32",
    },
    generate=_generate,
    workloads=_WORKLOADS,
    hidden=_hidden,
    bind=binder("x", "num_groups", "weight", "bias"),
    tolerance=Tolerance(),
    gradient="optional",
    laws=(rows.SCALE, rows.INDEPENDENCE),
    cost=_cost,
    dtypes=("float64", "float32", "bfloat16", "float16"),
)
