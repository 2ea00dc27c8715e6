"""Mutants from a target: called as an operator of the contract is."""

from __future__ import annotations

from typing import Any

from dougong.contracts.definition import Bound, Case, Contract
from dougong_ci.lint.mutants import Mutant


def mutant(name: str, summary: str, target: Any, **rest: Any) -> Mutant:
    """Return the mutant that binds `target` as the contract binds operators."""

    def bind(contract: Contract, case: Case) -> Bound:
        return contract.bind(target, case)

    return Mutant(name=name, summary=summary, bind=bind, **rest)
