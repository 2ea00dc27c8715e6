"""Two calls that differ in one element, which a cache keyed on a sample of its input confuses."""

from __future__ import annotations

import dataclasses
import random

from dougong_ci.judge.answers import Answer, Answers
from dougong_ci.runner.packing import storage_of


def single_change(answers: Answers, answer: Answer) -> Answer | None:
    """Answer the same case with one element of one tensor changed, or None where none can be.

    The tensor is one that may be differentiated by, or else the first; which element, hangs on the
    secret seed.
    """
    case, workload = answer.case, answer.workload
    pick = random.Random(answers.seed("single-change", workload.name, str(answer.dtype)))  # noqa: S311 - seeded by the secret, repeatable afterwards
    names = [name for name in case.differentiable if case.tensors.get(name) is not None]
    name = pick.choice(names or list(case.tensors))
    value = case.tensors[name]
    if value is None or not value.is_floating_point() or value.numel() < 2:
        return None
    # The whole storage, so that it lies in memory as what the runner was prepared for.
    storage = storage_of(value.detach()).clone().untyped_storage()
    changed = value.new_empty(0).set_(storage, value.storage_offset(), value.shape, value.stride())
    at = tuple(pick.randrange(size) for size in changed.shape)
    changed[at] = 0.5 - changed[at]
    tensors = {**case.tensors, name: changed}
    return answers.of(workload, answer.dtype, dataclasses.replace(case, tensors=tensors))
