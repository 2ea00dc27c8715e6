"""What the tests of first-party operators share: the judge's questions, asked in this process."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from dougong import contracts
from dougong.catalogue import Catalogue
from dougong.contracts import evaluate
from dougong.contracts.accuracy import compare
from dougong.contracts.definition import Case, Contract, Workload
from dougong.operator import Operator

SEED = 20260101


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue.load(["dougong_plugins"])


@pytest.fixture
def operator(request: pytest.FixtureRequest, catalogue: Catalogue) -> Operator:
    return catalogue.get(request.param).operator


def asked(contract: Contract, operator: Operator, *purposes: str) -> list[Workload]:
    """Workloads, hidden ones too, that the operator is asked; the big timed ones are left out."""
    declared = contract.features_of(operator)
    return [
        workload
        for workload in (*contract.workloads, *contract.hidden(SEED))
        if set(purposes) & set(workload.purpose)
        and "speed" not in workload.purpose
        and (not declared or set(workload.features) <= set(declared))
    ]


def dtypes(contract: Contract, operator: Operator) -> list[torch.dtype]:
    # An approximation is as far off in every dtype, and its workloads are long.
    names = ("float32",) if contract.equivalence == "approximate" else contract.dtypes
    return [getattr(torch, name) for name in names if name in operator.dtypes]


def _elements(case: Case) -> int:
    return sum(each.numel() for each in case.tensors.values() if each is not None)


@pytest.fixture
def elements() -> Callable[[Case], int]:
    return _elements


@pytest.fixture
def largest() -> float:
    """Elements that a case may have; fewer where an operator is interpreted."""
    return math.inf


@pytest.fixture
def shortened() -> Callable[[Case], Case]:
    """Return what is computed of a case: all of it, or less where an operator is interpreted."""
    return lambda case: case


@pytest.fixture
def outputs_fail(
    largest: float, shortened: Callable[[Case], Case]
) -> Callable[[Operator], list[str]]:
    """Return every output of an operator that its contract refuses, as text."""

    def check(operator: Operator) -> list[str]:
        contract, target = contracts.contract(operator.contract), operator.load()
        wrong = []
        for workload in asked(contract, operator, "accuracy", "edge"):
            for dtype in dtypes(contract, operator):
                case = shortened(contract.generate(workload, SEED, dtype))
                if _elements(case) > largest:
                    continue
                with torch.no_grad():
                    found = contract.bind(target, case)(case.tensors)
                golden = evaluate.golden(contract, case)
                natives = evaluate.natives(contract, case)
                for i, output in enumerate(found):
                    ruling = _compared(contract, workload, output, golden, natives, i)
                    if not ruling.passed:
                        wrong.append(f"{workload.name} {dtype}: {ruling.reason}")
        return wrong

    return check


@pytest.fixture
def gradients_fail(
    largest: float, shortened: Callable[[Case], Case]
) -> Callable[[Operator], list[str]]:
    """Return every gradient of an operator that its contract refuses, as text."""

    def check(operator: Operator) -> list[str]:
        contract, target = contracts.contract(operator.contract), operator.load()
        wrong = []
        for workload in asked(contract, operator, "accuracy"):
            for dtype in dtypes(contract, operator):
                case = shortened(contract.generate(workload, SEED, dtype))
                if _elements(case) > largest:
                    continue
                flowing = evaluate.cotangents(evaluate.natives(contract, case)[0], SEED, dtype)
                found = evaluate.gradients(contract.bind(target, case), case, flowing)
                golden = evaluate.golden_gradients(contract, case, flowing)
                natives = [
                    tuple(native[name] for name in golden)
                    for native in evaluate.native_gradients(contract, case, flowing)
                ]
                for i, name in enumerate(golden):
                    ruling = _compared(
                        contract,
                        workload,
                        found[name],
                        tuple(golden.values()),
                        natives,
                        i,
                        gradient=True,
                    )
                    if not ruling.passed:
                        wrong.append(f"{workload.name} {dtype} {name}: {ruling.reason}")
        return wrong

    return check


@pytest.fixture
def laws_fail(largest: float, shortened: Callable[[Case], Case]) -> Callable[[Operator], list[str]]:
    """Return every law that an operator breaks, as text."""

    def check(operator: Operator) -> list[str]:
        contract, target = contracts.contract(operator.contract), operator.load()
        wrong = []
        for workload in asked(contract, operator, "accuracy"):
            case = shortened(contract.generate(workload, SEED, torch.float32))
            if _elements(case) > largest:
                continue
            bound = contract.bind(target, case)
            for law in contract.laws:
                changed = law.variant(case, SEED)
                if changed is None:
                    continue
                with torch.no_grad():
                    before, after = (
                        bound(case.tensors),
                        contract.bind(target, changed)(changed.tensors),
                    )
                if broken := law.violation(case, before, changed, after):
                    wrong.append(f"{law.name} on {workload.name}: {broken}")
        return wrong

    return check


def _compared(contract, workload, output, golden, natives, i, *, gradient=False):
    tolerance = contract.tolerance
    return compare(
        output,
        [native[i] for native in natives],
        golden[i],
        tolerance=tolerance,
        scale=tolerance.cap_scale(workload) if tolerance.cap_scale else 1.0,
        dtype=natives[0][i].dtype,
        gradient=gradient,
    )
