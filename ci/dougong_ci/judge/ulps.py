"""Distance to the golden in units in the last place (ULP), and how those distances are spread.

One ULP is the spacing of the working dtype at the golden. Where that says nothing it is replaced:

- A golden far below the largest of its tensor is small by cancellation, and no implementation has
  correct digits there; nothing is measured in steps finer than eps**2 times the largest golden. The
  same step stands for a golden of zero.
- Below the normal numbers the spacing is that of the subnormals, as in the dtype itself.
- A non-finite golden, rounded, is met (0) or missed; missed, and any non-finite value elsewhere,
  counts as `MISSED` steps.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

MISSED = 2.0**64
"""Steps of a value that is not finite where it should be, or the other way round."""
_SAMPLE, _SORTED = 1 << 14, 1 << 12
_BIAS, _EXPONENT = 1023, 0x7FF0_0000_0000_0000
"""Of a double: the offset of its exponent, and the bits that hold it."""
_LOWEST, _HIGHEST = -3, 24
EDGES = [2.0**exponent for exponent in range(_LOWEST, _HIGHEST + 1)]
"""Bounds of the histogram's bins: powers of two from an eighth of a step to 2**24."""


@dataclasses.dataclass(frozen=True, slots=True)
class Steps:
    """Distances of one output to its golden, in steps of the working dtype."""

    p50: float
    p99: float
    """Of at most 4 096 elements, evenly spaced."""
    largest: float
    """Of the elements counted and of the one with the largest absolute error."""
    counts: tuple[int, ...]
    """By bins of `EDGES`: below the first, between two, at or above the last. At most 32 767
    elements, evenly spaced, are counted."""


NONE = Steps(0.0, 0.0, 0.0, (0,) * (len(EDGES) + 1))
"""Of an output without elements, or of none."""


def steps(value: Tensor, golden: Tensor) -> Steps:
    """Measure an output in steps of its own dtype.

    Args:
        value: What came out, floating point, any shape.
        golden: float64, of the same shape.

    Returns:
        Percentiles, maximum and histogram of |value - golden| / spacing(golden).
    """
    if not value.numel():
        return NONE
    value, golden = value.flatten(), golden.flatten()
    extra: list[int] = []
    if (every := len(value) // _SAMPLE) > 1:
        # The worst element, and the largest golden, by which all are measured.
        extra = [int((value - golden).abs_().argmax()), int(golden.abs().argmax())]
        some, more = slice(None, None, every), torch.tensor(extra)
        value = torch.cat((value[some], value[more]))
        golden = torch.cat((golden[some], golden[more]))
    distance = distances(value, golden)
    largest = float(distance.max())
    distance = distance[: len(distance) - len(extra)]
    ordered = distance[:: -(-len(distance) // _SORTED)].sort().values
    p50, p99 = (float(ordered[math.ceil(q * len(ordered)) - 1]) for q in (0.5, 0.99))
    bins = ((distance.view(torch.int64) >> 52) - (_BIAS + _LOWEST - 1)).clamp_(0, len(EDGES))
    counts = torch.bincount(bins, minlength=len(EDGES) + 1)
    return Steps(p50, p99, largest, tuple(counts.tolist()))


def distances(value: Tensor, golden: Tensor) -> Tensor:
    """Return |value - golden| in steps of value's dtype, elementwise, float64."""
    dtype = value.dtype
    expected = golden.to(dtype)
    wide = value.double()
    apart = (wide - golden).abs_().div_(spacing(golden, dtype))
    if bool(apart.isfinite().all()) and bool(expected.isfinite().all()):
        return apart
    met = (value == expected) | (value.isnan() & expected.isnan())
    proper = apart.isfinite() & expected.isfinite()
    return torch.where(proper, apart, torch.where(met, 0.0, MISSED))


def spacing(golden: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the size of one step of `dtype` at each golden, float64."""
    info = torch.finfo(dtype)
    size = golden.abs()
    if not size.numel():
        return size
    largest = float(size.max())
    if not math.isfinite(largest):
        size = size.nan_to_num_(0.0, 0.0, 0.0)
        largest = float(size.max())
    size.clamp_min_(max(info.smallest_normal, info.eps * largest))
    # Without its mantissa a double is the power of two below it.
    return size.view(torch.int64).bitwise_and_(_EXPONENT).view(torch.float64).mul_(info.eps)
