"""Mistakes that people make in one family of operators, beside the generic mutants."""

from __future__ import annotations

from collections.abc import Iterator

from dougong.contracts.definition import Contract
from dougong_ci.lint.families import (
    attention,
    gated_delta,
    models,
    optimizer,
    pointwise,
    training,
)
from dougong_ci.lint.mutants import Mutant

_FAMILIES = {
    "attention": attention.mutants,
    "norm": pointwise.mutants,
    "activation": pointwise.mutants,
    "optimizer": optimizer.mutants,
    "backend": models.mutants,
    "transform": models.mutants,
}
_KINDS = {
    "attention.gated_delta": gated_delta.mutants,
    "optimizer.train": training.mutants,
}
"""Contracts that have little in common with their family."""


def special(contract: Contract, variant: str = "") -> Iterator[Mutant]:
    """Make the mutants of a contract's family; none for a family that has no list yet."""
    if of_kind := _KINDS.get(contract.id.partition("@")[0]):
        yield from of_kind(contract, variant)
    elif contract.family in _FAMILIES:
        yield from _FAMILIES[contract.family](contract, variant)
