"""Filters on a definition: do its workloads ask anything that an answer can get wrong?

An output that hardly varies is matched by a constant, an input without influence need not be read.
"Measurable" is what the judge measures: an input counts where the judge's own comparison refuses
the right output for another value of it; for an approximate contract, whose bound is wide on
purpose, where the output moves by `MOVED` of its size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor

from dougong.contracts import evaluate
from dougong.contracts.definition import Case, Contract, Workload
from dougong_ci.judge.answers import Answers, compared
from dougong_ci.lint.killing import SEED, quick

VARIES = 1e-2
"""Least standard deviation over seeds, and along an axis, as a share of the output's size."""
MOVED = 1e-2
_SEEDS = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One question to a definition, and its answer."""

    contract: str
    variant: str
    filter: str
    """`varies with the seed`, `varies along dimension -1`, `depends on weight`..."""
    passed: bool
    detail: str


def filtered(id: str) -> Iterator[Finding]:
    """Ask every filter of a contract, variant by variant where it has them.

    Args:
        id: `norm.rms@1`.
    """
    contract = quick(id)
    for variant in contract.variants or ("",):
        works = [
            w
            for w in contract.workloads
            if "accuracy" in w.purpose and (not variant or f"variant:{variant}" in w.features)
        ]
        for name, passed, detail in _asked(contract, works):
            yield Finding(id, variant, name, passed, detail)


def _asked(contract: Contract, works: list[Workload]) -> Iterator[tuple[str, bool, str]]:
    least, where = min((_over_seeds(contract, work), work.name) for work in works)
    detail = f"least standard deviation {least:.2g} of the size, on {where}"
    yield "varies with the seed", least > VARIES, detail
    golden = evaluate.golden(contract, contract.generate(works[0], SEED, torch.float32))[0]
    for axis in range(-golden.ndim, 0):
        if golden.shape[axis] > 1:
            share = float(golden.std(axis).mean() / golden.square().mean().sqrt())
            detail = f"mean standard deviation {share:.2g} of the size, on {works[0].name}"
            yield f"varies along dimension {axis}", share > VARIES, detail
    for name in _inputs(contract, works):
        found = next((w.name for w in works if _matters(contract, w, name)), "")
        yield f"depends on {name}", bool(found), f"seen on {found}" if found else "on no workload"


def _over_seeds(contract: Contract, work: Workload) -> float:
    """Return the mean standard deviation of an output element over seeds, by the output's size."""
    outputs = [
        evaluate.golden(contract, contract.generate(work, SEED + i, torch.float32))[0]
        for i in range(_SEEDS)
    ]
    stacked = torch.stack(outputs)
    size = float(stacked.square().mean().sqrt())
    return float(stacked.std(0).mean()) / size if size else 0.0


def _inputs(contract: Contract, works: list[Workload]) -> list[str]:
    """Return the names of all tensors that some workload gives; of a model, its weights."""
    names: dict[str, None] = {}
    for work in works:
        case = contract.generate(work, SEED, torch.float32)
        names.update((name, None) for name, t in case.tensors.items() if t is not None)
        names.update((f"{work.name}:{name}", None) for name in case.setup)
    return list(names)


def _matters(contract: Contract, work: Workload, name: str) -> bool:
    """Say whether the judge would refuse the right output for another value of one tensor."""
    of, _, weight = name.partition(":")
    if weight and of != work.name:
        return False
    case = contract.generate(work, SEED, torch.float32)
    given = case.setup.get(weight) if weight else case.tensors.get(name)
    if given is None or not given.numel():
        return False
    other = _other(contract, work, weight or name, setup=bool(weight))
    if other.shape != given.shape:
        return False
    return _refused(contract, work, case, _replaced(case, weight or name, other, bool(weight)))


def _other(contract: Contract, work: Workload, name: str, *, setup: bool) -> Tensor:
    case = contract.generate(work, SEED + 1, torch.float32)
    found = case.setup[name] if setup else case.tensors[name]
    if found is None:
        raise KeyError(f"{work.name} gives {name} for one seed and not for another")
    return found


def _replaced(case: Case, name: str, value: Tensor, setup: bool) -> Case:
    if setup:
        return dataclasses.replace(case, setup={**case.setup, name: value})
    return dataclasses.replace(case, tensors={**case.tensors, name: value})


def _refused(contract: Contract, work: Workload, case: Case, other: Case) -> bool:
    answer = Answers(contract, SEED).of(work, torch.float32, case)
    limit = contract.tolerance.max_relative_l2
    for i, golden in enumerate(evaluate.golden(contract, other)):
        if limit is not None:
            moved = float((golden - answer.golden[i]).norm() / answer.golden[i].norm())
            if moved > MOVED:
                return True
        elif not compared(contract, answer, i, golden.to(answer.dtype)).passed:
            return True
    return False
