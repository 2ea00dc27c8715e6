"""Laws of `optimizer.train@1`: what any optimizer keeps, whatever its rule.

A case says in `static["asks"]` which of them it is for.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from dougong.contracts.definition import Case, Law
from dougong.contracts.laws import edited, tensor_of

Outputs = tuple[Tensor, ...]
SLOWER = 0.1
"""What a rate is multiplied by to see whether it is honoured."""
_HALF = 0.5
_REORDERED = 1e-3
"""Of the movement: sums over parameters are rounded in another order."""
_STILL = 0.05
"""Of the parameters: what decay may take in a few steps of zero gradients."""
_ALIGNED = 0.1
"""Least cosine of movement and descent. Signs and orthogonal factors of random gradients have 0.8
and more; a direction that ignores them has 0 +- 0.03."""


def _count(case: Case) -> int:
    return sum(name.startswith("p") for name in case.tensors)


def _asked(name: str, case: Case) -> bool:
    return name in case.static["asks"]


def _steps(case: Case) -> int:
    return int(case.static["steps"])


def _size(tensors: list[Tensor]) -> float:
    return float(torch.stack([t.double().norm() for t in tensors]).norm())


def _moved(case: Case, outputs: Outputs) -> list[Tensor]:
    return [y.double() - tensor_of(case, f"p{i}").double() for i, y in enumerate(outputs)]


def _reversed(case: Case, seed: int) -> Case | None:
    count = _count(case)
    if not _asked("order", case) or count < 2:
        return None
    tensors: dict[str, Tensor | None] = {}
    for new, old in enumerate(reversed(range(count))):
        tensors[f"p{new}"] = case.tensors[f"p{old}"]
        for step in range(_steps(case)):
            tensors[f"g{step}_{new}"] = case.tensors[f"g{step}_{old}"]
    return dataclasses.replace(case, tensors=tensors)


def _order_kept(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    apart = _size([y.double() - z.double() for y, z in zip(outputs, reversed(found), strict=True)])
    parameters = _size([tensor_of(case, f"p{i}") for i in range(_count(case))])
    limit = _REORDERED * _size(_moved(case, outputs)) + 1e-6 * parameters
    if apart <= limit:
        return None
    return f"the parameters in reverse order must give the same to {limit:.3g}, got {apart:.3g}"


def _one_gradient(case: Case, seed: int) -> Case | None:
    if not _asked("follows", case):
        return None
    firsts = {
        f"g{step}_{i}": case.tensors[f"g0_{i}"]
        for step in range(_steps(case))
        for i in range(_count(case))
    }
    return edited(case, **firsts)


def _descends(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    moved = _moved(changed, found)
    for i, each in enumerate(moved):
        if not bool((each.reshape(len(each), -1) != 0).any(1).all()):
            return f"every row of p{i} must move under a gradient that is nowhere zero"
    gradients = [tensor_of(changed, f"g0_{i}").double() for i in range(len(moved))]
    along = -sum(float((m * g).sum()) for m, g in zip(moved, gradients, strict=True))
    cosine = along / max(_size(moved) * _size(gradients), 1e-300)
    if cosine >= _ALIGNED:
        return None
    return f"the cosine of the movement and the descent must be >= {_ALIGNED}, got {cosine:.3g}"


def _no_gradient(case: Case, seed: int) -> Case | None:
    if not _asked("still", case):
        return None
    zeros = {
        f"g{step}_{i}": torch.zeros_like(tensor_of(case, f"g{step}_{i}"))
        for step in range(_steps(case))
        for i in range(_count(case))
    }
    return edited(case, **zeros)


def _keeps_still(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    moved = _size(_moved(changed, found))
    limit = _STILL * _size([tensor_of(case, f"p{i}") for i in range(_count(case))])
    if moved <= limit:
        return None
    return f"under zero gradients the parameters must move by <= {limit:.3g}, got {moved:.3g}"


def _gone(case: Case, seed: int) -> Case | None:
    count, steps = _count(case), _steps(case)
    if not _asked("absent", case) or count < 2 or steps < 2:
        return None
    half = {"since": steps // 2, "absent": count - 1}
    return dataclasses.replace(case, static={**case.static, **half})


def _left_alone(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    if bool(found[-1].any()):
        return f"p{len(found) - 1} moved in a step in which it had no gradient"
    if not any(bool(each.any()) for each in found[:-1]):
        return "nothing moved in the steps in which one parameter had no gradient"
    return None


def _resumed(case: Case, seed: int) -> Case | None:
    steps = _steps(case)
    if not _asked("resume", case) or steps < 2:
        return None
    return dataclasses.replace(case, static={**case.static, "resume_at": steps // 2})


def _continued(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    for i, (before, after) in enumerate(zip(outputs, found, strict=True)):
        if not torch.equal(before, after):
            return f"p{i} differs after state_dict was saved and loaded half-way"
    return None


def _slowed(law: str, case: Case) -> Case | None:
    if not _asked(law, case):
        return None
    half = {"since": _steps(case) // 2, "factor": SLOWER, "slow": law}
    return dataclasses.replace(case, static={**case.static, **half})


def _scheduled(case: Case, seed: int) -> Case | None:
    return _slowed("schedule", case)


def _grouped(case: Case, seed: int) -> Case | None:
    return _slowed("groups", case)


def _rate_honoured(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    plain, slow = (_size([each[i] for each in found]) for i in (0, 1))
    if 0 < slow <= _HALF * plain:
        return None
    return f"at a tenth of the rate it must move by half at most, got {slow:.3g} for {plain:.3g}"


def _groups_honoured(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    middle = len(found) // 2
    for name, part, slower in (("first", found[:middle], False), ("second", found[middle:], True)):
        plain, slow = (_size([each[i] for each in part]) for i in (0, 1))
        if (slow <= _HALF * plain) != slower:
            much = "half as much at most" if slower else "as before"
            return (
                f"with a tenth of the rate in the second group the {name} must move "
                f"{much}, got {slow:.3g} for {plain:.3g}"
            )
    return None


LAWS = (
    Law(
        name="order",
        summary="The order of the parameters does not matter",
        variant=_reversed,
        violation=_order_kept,
    ),
    Law(
        name="follows",
        summary="Under a constant gradient every row moves, and downhill",
        variant=_one_gradient,
        violation=_descends,
    ),
    Law(
        name="still",
        summary="Zero gradients keep the parameters where decay leaves them",
        variant=_no_gradient,
        violation=_keeps_still,
    ),
    Law(
        name="absent",
        summary="A parameter without a gradient does not move, whatever its state",
        variant=_gone,
        violation=_left_alone,
    ),
    Law(
        name="resume",
        summary="state_dict saved and loaded half-way leaves the result equal to the bit",
        variant=_resumed,
        violation=_continued,
    ),
    Law(
        name="schedule",
        summary="A rate set in param_groups between two steps is honoured",
        variant=_scheduled,
        violation=_rate_honoured,
    ),
    Law(
        name="groups",
        summary="Each group has its own rate",
        variant=_grouped,
        violation=_groups_honoured,
    ),
)
