"""Laws of an optimizer that hold to the last bits, whatever its rule."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dougong.contracts.definition import Case, Law
from dougong.contracts.laws import apart, tensor_of
from dougong.contracts.sampling import generator

Outputs = tuple[Tensor, ...]
_ELEMENTWISE = ("adamw", "sgd-momentum", "lion")


def _count(case: Case) -> int:
    return sum(name.startswith("p") for name in case.tensors)


def _reordered(case: Case, order: list[int]) -> Case:
    tensors: dict[str, Tensor | None] = {}
    for new, old in enumerate(order):
        tensors[f"p{new}"] = case.tensors[f"p{old}"]
        for step in range(case.static["steps"]):
            tensors[f"g{step}_{new}"] = case.tensors[f"g{step}_{old}"]
    return dataclasses.replace(case, tensors=tensors)


def _reversed(case: Case, seed: int) -> Case | None:
    count = _count(case)
    return _reordered(case, list(reversed(range(count)))) if count > 1 else None


def _order_kept(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    for i, (before, after) in enumerate(zip(outputs, reversed(found), strict=True)):
        if wrong := apart(before, after, ulps=2, what=f"p{i} among parameters in reverse order"):
            return wrong
    return None


def _others(case: Case, seed: int) -> Case | None:
    count = _count(case)
    if count < 2:
        return None
    tensors = dict(case.tensors)
    for step in range(case.static["steps"]):
        for i in range(1, count):
            name = f"g{step}_{i}"
            value = tensor_of(case, name)
            noise = torch.randn(value.shape, generator=generator(seed, name), dtype=torch.float64)
            tensors[name] = noise.to(value.dtype)
    return dataclasses.replace(case, tensors=tensors)


def _first_kept(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    return apart(outputs[0], found[0], ulps=2, what="p0 when the other gradients change")


def _split(case: Case, seed: int) -> Case | None:
    first = tensor_of(case, "p0")
    if case.static["variant"] not in _ELEMENTWISE or len(first) < 2:
        return None
    half, last = len(first) // 2, _count(case)
    tensors = dict(case.tensors)
    names = [("p0", f"p{last}")]
    names += [(f"g{step}_0", f"g{step}_{last}") for step in range(case.static["steps"])]
    for name, rest in names:
        value = tensor_of(case, name)
        tensors[name], tensors[rest] = value[:half], value[half:]
    return dataclasses.replace(case, tensors=tensors)


def _whole(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    merged = torch.cat((found[0], found[-1]))
    return apart(outputs[0], merged, ulps=2, what="p0 whole and p0 in two halves")


def _resumed(case: Case, seed: int) -> Case | None:
    steps = int(case.static["steps"])
    if steps < 2:
        return None
    return dataclasses.replace(case, static={**case.static, "resume_at": steps // 2})


def _continued(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    for i, (before, after) in enumerate(zip(outputs, found, strict=True)):
        if not torch.equal(before, after):
            return f"p{i} differs after state_dict was saved and loaded half-way"
    return None


ORDER = Law(
    name="order",
    summary="The order of the parameters does not matter",
    variant=_reversed,
    violation=_order_kept,
)
INDEPENDENCE = Law(
    name="independence",
    summary="A parameter does not depend on the gradients of others",
    variant=_others,
    violation=_first_kept,
)
SPLIT = Law(
    name="split",
    summary="An elementwise rule treats a parameter and its two halves alike",
    variant=_split,
    violation=_whole,
)
RESUME = Law(
    name="resume",
    summary="state_dict saved and loaded half-way leaves the result equal to the bit",
    variant=_resumed,
    violation=_continued,
)
