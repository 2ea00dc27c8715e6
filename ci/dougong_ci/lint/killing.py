"""Take mutants through the judge's correctness gates and say which gate each fell at."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Iterator

import torch

from dougong import contracts
from dougong.contracts.definition import Contract, Workload
from dougong.operator import Operator
from dougong_ci.judge.answers import Answers
from dougong_ci.judge.correctness import Correctness
from dougong_ci.judge.docket import Docket
from dougong_ci.judge.source import Source
from dougong_ci.lint.families import special
from dougong_ci.lint.gradients import gradient_mutants
from dougong_ci.lint.inprocess import InProcess
from dougong_ci.lint.mutants import Mutant, generic, right
from dougong_ci.report.verdict import Outcome

SEED = 20260801
_LARGE = 110_000
"""Elements of an input from which on a workload is left out."""
_LONG = 10
"""Steps of an optimizer from which on a workload is left out."""


class Fate(enum.StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    ADMITTED = "admitted"
    """Within what an approximate contract allows, measured."""
    INAPPLICABLE = "not applicable"


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """One mutant of one contract, and what became of it."""

    contract: str
    variant: str
    mutant: str
    summary: str
    fate: Fate
    gate: str
    """That killed it; empty where none did."""
    reason: str


def trials(id: str, variants: tuple[str, ...] = ()) -> Iterator[Trial]:
    """Try every mutant of a contract, variant by variant where it has them.

    Args:
        id: `norm.rms@1`.
        variants: Only these.
    """
    contract = quick(id)
    for variant in variants or contract.variants or ("",):
        for mutant in mutants(contract, variant):
            yield tried(contract, mutant, variant)


def mutants(contract: Contract, variant: str = "") -> list[Mutant]:
    """Return every mutant of a contract: generic, of its family, and of its gradient."""
    forward = [*generic(contract, variant), *special(contract, variant)]
    return [*forward, *gradient_mutants(contract, forward)]


@functools.cache
def quick(id: str) -> Contract:
    """Return a contract without its large workloads, which say nothing more of right or wrong."""
    contract = contracts.contract(id)

    def few(works: tuple[Workload, ...]) -> tuple[Workload, ...]:
        return tuple(
            w
            for w in works
            if "speed" not in w.purpose
            and int(str(w.params.get("steps", 0))) < _LONG
            and _size(contract, w) < _LARGE
        )

    return dataclasses.replace(
        contract,
        workloads=few(contract.workloads),
        hidden=functools.cache(lambda seed: few(contract.hidden(seed))),
    )


def _size(contract: Contract, work: Workload) -> int:
    """Return the elements of the largest input."""
    case = contract.generate(work, 0, torch.float32)
    return max((t.numel() for t in case.tensors.values() if t is not None), default=0)


def tried(contract: Contract, mutant: Mutant, variant: str = "") -> Trial:
    """Take one mutant through the gates, up to the first that fails it."""

    def trial(fate: Fate, gate: str, reason: str) -> Trial:
        return Trial(contract.id, variant, mutant.name, mutant.summary, fate, gate, reason)

    if mutant.inapplicable:
        return trial(Fate.INAPPLICABLE, "", mutant.inapplicable)
    docket = judged(contract, mutant, variant)
    for gate in docket.gates.values():
        if gate.outcome is Outcome.FAILED:
            return trial(Fate.KILLED, gate.name, gate.summary)
    if contract.equivalence == "approximate" and mutant.may_be_admitted:
        worst = max((row.relative_l2 for row in docket.accuracy), default=0.0)
        limit = contract.tolerance.max_relative_l2
        return trial(
            Fate.ADMITTED, "", f"relative L2 error {worst:.2g}; the contract allows {limit:g}"
        )
    return trial(Fate.SURVIVED, "", "every gate passed")


def judged(contract: Contract, mutant: Mutant, variant: str = "", *, hasty: bool = True) -> Docket:
    """Return the docket of a mutant after the correctness gates."""
    operator = Operator(
        name=f"lint/{mutant.name.replace('_', '-').lower()}",
        contract=contract.id,
        target="dougong_ci.lint:mutant",
        variant=variant,
        dtypes=mutant.dtypes,
        gradients="none" if contract.gradient == "none" else "first",
    )
    source = Source(distribution="dougong", version="lint", sha256="")
    docket = Docket(operator, source, _answers(contract.id), lambda event: None)
    Correctness(docket, InProcess(mutant.bind), hasty=hasty).run()
    return docket


@functools.cache
def _answers(id: str) -> Answers:
    return Answers(quick(id), SEED)


def baseline(contract: Contract) -> Mutant:
    """Return the right implementation as if it were a mutant: nothing may kill it."""
    dtypes = tuple(name for name in contract.dtypes if name in ("float32", "bfloat16"))
    return Mutant(name="baseline", summary="is right", bind=right, dtypes=dtypes)
