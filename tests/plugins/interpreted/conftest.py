"""What the interpreter has time for: it runs a program a row, in Python."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from dougong import contracts
from dougong.contracts.definition import Case
from dougong.operator import Operator

ELEMENTS = 20_000


@pytest.fixture
def largest() -> float:
    return ELEMENTS


@pytest.fixture(autouse=True)
def _enough(request: pytest.FixtureRequest, elements: Callable[[Case], int]) -> None:
    """Of a contract that is checked, half of the workloads at least must be small enough."""
    if "operator" not in request.fixturenames:
        return
    operator: Operator = request.getfixturevalue("operator")
    contract = contracts.contract(operator.contract)
    asked = contract.select("accuracy", contract.features_of(operator))
    cases = [contract.generate(work, 1, torch.float32) for work in asked]
    met = [case for case in cases if elements(case) <= ELEMENTS]
    assert len(met) * 2 >= len(asked), f"{len(met)} of {len(asked)} workloads are met"
