"""Contracts bound in another way, for what the judge asks beyond them: `optimizer.step@1#training`.

Reference, baselines and rules stay those of the released contract; only how the target is called
differs, and that code is here, with the runner.
"""

from __future__ import annotations

import dataclasses

from dougong import contracts
from dougong.contracts.definition import Contract
from dougong.operator import resolve

_BINDS = {
    "training": "dougong_ci.runner.training:bind",
    "descent": "dougong_ci.runner.descent:bind",
}


def contract(id: str) -> Contract:
    """Return a released contract, or with `#name` one of its exercises.

    Raises:
        ContractError: no such contract.
        KeyError: no such exercise.
    """
    released, _, exercise = id.partition("#")
    found = contracts.contract(released)
    return dataclasses.replace(found, id=id, bind=resolve(_BINDS[exercise])) if exercise else found
