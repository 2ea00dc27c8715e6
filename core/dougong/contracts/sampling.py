"""How the values of a workload are drawn and laid out in memory.

Every value is drawn in float64 from a generator seeded by (seed, workload, tensor) and then rounded
once to the working dtype, so that the golden is computed from exactly the values an operator sees.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from dougong.errors import ContractError

Shape = tuple[int, ...]

LARGEST = 3.0e4
"""Largest magnitude drawn, so that every input is finite in float16 (maximum 65504)."""


def generator(seed: int, *scope: str) -> Generator:
    """Return a generator for one tensor of one workload; equal arguments give equal bits."""
    digest = hashlib.sha256("/".join((str(seed), *scope)).encode()).digest()
    return Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def chooser(seed: int, scope: str) -> random.Random:
    """Return the source of sizes of hidden workloads; stable over processes and machines."""
    return random.Random(f"{seed}/{scope}")  # noqa: S311 - draws sizes, the seed is the secret


def _normal(shape: Shape, source: Generator) -> Tensor:
    return torch.randn(shape, generator=source, dtype=torch.float64)


def _uniform(shape: Shape, source: Generator) -> Tensor:
    return torch.rand(shape, generator=source, dtype=torch.float64) * 2 - 1


def _shifted(shape: Shape, source: Generator) -> Tensor:
    # Mean far above the spread: what a one-pass variance, E[x^2] - E[x]^2, loses in float32.
    return 16 + _normal(shape, source)


def _heavy(shape: Shape, source: Generator) -> Tensor:
    # Student t with 2 degrees of freedom, by z / sqrt(chi2_2 / 2): infinite variance.
    uniform = torch.rand(shape, generator=source, dtype=torch.float64).clamp_min(1e-12)
    return _normal(shape, source) / (-uniform.log()).sqrt()


def _sparse(shape: Shape, source: Generator) -> Tensor:
    kept = torch.rand(shape, generator=source, dtype=torch.float64) < 0.1
    return _normal(shape, source) * kept


def _sorted(shape: Shape, source: Generator) -> Tensor:
    values = _normal(shape, source)
    return values.sort(dim=-1).values if values.ndim else values


def _constant_rows(shape: Shape, source: Generator) -> Tensor:
    # Multiples of 1/4, so that a mean over a power of two of them is exact however it is summed.
    row = (4 * _normal((*shape[:-1], 1), source)).round() / 4
    return row.expand(shape).clone()


def _zero_rows(shape: Shape, source: Generator) -> Tensor:
    values = _normal(shape, source)
    return values * (torch.rand((*shape[:-1], 1), generator=source, dtype=torch.float64) < 0.7)


def _spikes(shape: Shape, source: Generator) -> Tensor:
    # A few features thousands of times the others, as in the residual stream of large models.
    hit = torch.rand(shape, generator=source, dtype=torch.float64) < 0.01
    return _normal(shape, source) * torch.where(hit, 1e3, 1.0)


_DRAW: dict[str, Callable[[Shape, Generator], Tensor]] = {
    "normal": _normal,
    "uniform": _uniform,
    "tiny": lambda shape, source: 1e-3 * _normal(shape, source),
    "large": lambda shape, source: 1e3 * _normal(shape, source),
    "shifted": _shifted,
    "heavy": _heavy,
    "sparse": _sparse,
    "sorted": _sorted,
    "constant-rows": _constant_rows,
    "zero-rows": _zero_rows,
    "zeros": lambda shape, source: torch.zeros(shape, dtype=torch.float64),
    "spikes": _spikes,
}

DISTRIBUTIONS = tuple(_DRAW)
LAYOUTS = ("contiguous", "transposed", "offset", "expanded")


def draw(shape: Shape, distribution: str, source: Generator, dtype: torch.dtype) -> Tensor:
    """Draw a contiguous tensor.

    Args:
        shape: Sizes; any may be 0.
        distribution: One of `DISTRIBUTIONS`.
        source: From `generator`.
        dtype: Working dtype; values are drawn in float64 and rounded to it once.

    Raises:
        ContractError: the distribution is unknown.
    """
    if distribution not in _DRAW:
        raise ContractError(
            f"distribution must be one of {', '.join(DISTRIBUTIONS)}, got {distribution!r}"
        )
    return _DRAW[distribution](shape, source).clamp_(-LARGEST, LARGEST).to(dtype)


def lay(tensor: Tensor, layout: str) -> Tensor:
    """Return the values of `tensor` laid out in memory as asked.

    contiguous: as it is. transposed: the last dimension is not the fastest (strides swapped with
    the one before, or a stride of 2 in one dimension). offset: one element into its storage, so
    not aligned to a vector. expanded: the first entry of the first dimension repeated with stride
    0; this one changes the values. Scalars and empty tensors stay as they are.

    Raises:
        ContractError: the layout is unknown.
    """
    if layout not in LAYOUTS:
        raise ContractError(f"layout must be one of {', '.join(LAYOUTS)}, got {layout!r}")
    if layout == "contiguous" or tensor.ndim == 0 or tensor.numel() == 0:
        return tensor
    if layout == "transposed" and tensor.ndim > 1:
        return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)
    if layout == "transposed":
        return torch.stack((tensor, tensor), dim=-1)[..., 0]
    if layout == "expanded":
        return tensor[:1].expand(tensor.shape)
    storage = tensor.new_empty(math.prod(tensor.shape) + 1)
    view = storage[1:].view(tensor.shape)
    return view.copy_(tensor)
