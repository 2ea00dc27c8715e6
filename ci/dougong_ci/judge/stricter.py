"""What the judge asks of an output beyond the contract's own accuracy rule.

Two holes of that rule, found by mutants (`dougong_ci.lint`); a released contract cannot change:

- In float64 it has only the cap, and arithmetic in float32 comes within a fifth of it. So the error
  may be at most `COARSER` times the native one and a rounding: far above what any order of
  summation or polynomial does in double precision, far below float32.
- Of an approximation it asks one relative error of the whole, under which a twentieth of the rows
  may be missing altogether. So no slice may be: cut along each axis into 32, or fewer, so that a
  slice has some sixteen entries, every slice that holds its share of the golden must hold a tenth
  of that itself, and must not be further off than `SLICE` times its golden. Of a single entry that
  cannot be asked: an optimizer of another rule leaves now and then one near zero by chance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dougong.contracts.accuracy import Comparison, Tolerance, floor

COARSER = 2.0**16
"""Roundings of float64; a rounding of float32 is 2**29 of them."""
SLICE = 2.0
_SLICES = 32
_ENTRIES = 16
"""Of a slice, at least about."""
_PRESENT = 0.1
_SHARE = 0.25
"""Of its fair share of the golden's norm, from which on a slice is looked at."""


def fault(output: Tensor, golden: Tensor, found: Comparison, tolerance: Tolerance) -> str:
    """Return what is wrong with an output that passed the contract's rule, or nothing.

    Args:
        output: What came out, of the golden's shape.
        golden: float64.
        found: The contract's comparison of the two.
        tolerance: The contract's.
    """
    if not golden.numel():
        return ""
    if tolerance.max_relative_l2 is not None:
        return _lost_slice(output.double(), golden)
    if output.dtype == torch.float64:
        gold = golden.nan_to_num(0.0, 0.0, 0.0)
        rounding = float(floor(gold, torch.float64).max())
        limit = COARSER * (found.native_max_error + rounding)
        if found.max_error > limit:
            return (
                f"maximum error must be <= {limit:.3g}, got {found.max_error:.3g}: "
                "coarser than arithmetic in float64 is"
            )
    return ""


def _lost_slice(output: Tensor, golden: Tensor) -> str:
    output, gold = (t.nan_to_num(0.0, 0.0, 0.0) for t in (output, golden))
    error = output - gold
    for axis in range(gold.ndim):
        count = min(gold.shape[axis], _SLICES, gold.numel() // _ENTRIES)
        if count < 2:
            continue
        mine, size, off = (_norms(t, axis, count) for t in (output, gold, error))
        counted = size > _SHARE * float(gold.norm()) / count**0.5
        for what, wrong in (
            ("is missing", mine < _PRESENT * size),
            (f"is more than {SLICE:g} times its size off", off > SLICE * size),
        ):
            if bool((counted & wrong).any()):
                at = int((counted & wrong).to(torch.uint8).argmax())
                return f"slice {at} of {count} along dimension {axis} {what}"
    return ""


def _norms(value: Tensor, axis: int, count: int) -> Tensor:
    return torch.stack([part.norm() for part in value.tensor_split(count, axis)])
