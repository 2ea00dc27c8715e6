"""A second opinion on an output that missed its bound by little.

The bound is twice the error of trusted implementations, and on a few hundred elements, of which one
dominates, those may be right by luck: an honest operator that rounds five times on the way then
misses it by a quarter, and one that sums a row of 509 in the order of memory, where the trusted
ones sum by halves, by 3.7 times (torch.compile over a transposed input does). So a narrow miss is
held to natives that cannot be lucky: the float64 golden of inputs moved by a few steps of their
dtype, at random, which is what arithmetic in that dtype may do to a result (backward error; Higham
2002, sections 1.5 and 4.2: n terms summed in order lose about the root of n roundings). Computing
in half the bits misses the bound by three orders of magnitude, and gets no second opinion.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dougong.contracts import evaluate
from dougong.contracts.definition import Case, Contract
from dougong.contracts.sampling import generator

NARROW = 8.0
"""Times the bound, up to which a miss is narrow."""
_STEPS = 8
_DRAWS = 4


def moved_natives(
    contract: Contract,
    case: Case,
    flowing: tuple[Tensor, ...],
    dtype: torch.dtype,
    steps: int = _STEPS,
) -> list[tuple[Tensor, ...]]:
    """Return the goldens of moved inputs, rounded to the working dtype.

    Args:
        contract: Whose reference is run.
        case: The call.
        flowing: Upstream gradients; given, the gradients are returned.
        dtype: Working dtype.
        steps: How far the inputs are moved, in steps of their dtype.
    """
    found = []
    for draw in range(_DRAWS):
        moved = _moved(case, str(draw), steps)
        outputs = (
            tuple(evaluate.golden_gradients(contract, moved, flowing).values())
            if flowing
            else evaluate.golden(contract, moved)
        )
        found.append(tuple(output.to(dtype) for output in outputs))
    return found


def _moved(case: Case, draw: str, steps: int) -> Case:
    tensors = {}
    for name, value in case.tensors.items():
        if value is not None and value.is_floating_point():
            up = torch.rand(value.shape, generator=generator(0, name, draw)) < 0.5
            end = torch.where(up, torch.inf, -torch.inf).to(value.dtype)
            for _ in range(steps):
                # What is not finite stays: a step from infinity would be the largest number.
                step = torch.nextafter(value.detach(), end)
                value = torch.where(value.isfinite() & step.isfinite(), step, value)
        tensors[name] = value
    return dataclasses.replace(case, tensors=tensors)
