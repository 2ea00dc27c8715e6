"""What the laws of several contracts share: closeness of two outputs, and editing a case."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dougong.contracts.definition import Case


def edited(case: Case, **tensors: Tensor | None) -> Case:
    """Return the case with some call tensors replaced."""
    return dataclasses.replace(case, tensors={**case.tensors, **tensors})


def tensor_of(case: Case, name: str) -> Tensor:
    """Return a call tensor that the contract always gives."""
    value = case.tensors[name]
    if value is None:
        raise KeyError(f"the case has no tensor {name!r}")
    return value


def apart(first: Tensor, second: Tensor, *, ulps: float, what: str) -> str | None:
    """Say how two outputs that should agree differ, or return None.

    They agree when ||first - second|| <= ulps * (eps * ||first|| + s * sqrt(n)), with eps and the
    smallest subnormal s of the dtype and n elements; non-finite values must be in the same places.
    """
    if first.shape != second.shape:
        return f"{what}: shapes differ, {tuple(first.shape)} and {tuple(second.shape)}"
    one, two = first.double(), second.double()
    if not torch.equal(one.isfinite(), two.isfinite()):
        return f"{what}: non-finite values in different places"
    difference = float((one - two).nan_to_num(0.0, 0.0, 0.0).norm())
    limits = torch.finfo(first.dtype)
    size = float(one.nan_to_num(0.0, 0.0, 0.0).norm())
    allowed = ulps * limits.eps * (size + limits.smallest_normal * first.numel() ** 0.5)
    if difference <= allowed:
        return None
    return f"{what}: L2 difference must be <= {allowed:.3g}, got {difference:.3g}"
