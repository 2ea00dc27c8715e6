"""What the interpreter has time for: it runs a program a row, in Python."""

from __future__ import annotations

import pytest

from dougong import contracts
from dougong.operator import Operator

ELEMENTS = 20_000


@pytest.fixture
def largest() -> float:
    return ELEMENTS


@pytest.fixture(autouse=True)
def _enough(request: pytest.FixtureRequest) -> None:
    """Of a contract that is checked, half of the workloads at least must be small enough."""
    if "operator" not in request.fixturenames:
        return
    operator: Operator = request.getfixturevalue("operator")
    contract = contracts.contract(operator.contract)
    asked = contract.select("accuracy", contract.features_of(operator))
    met = [work for work in asked if _size(contract, work) <= ELEMENTS]
    assert len(met) * 2 >= len(asked), f"{len(met)} of {len(asked)} workloads are met"


def _size(contract, work) -> int:
    import torch

    case = contract.generate(work, 1, torch.float32)
    return sum(each.numel() for each in case.tensors.values() if each is not None)
