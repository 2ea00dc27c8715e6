"""The contracts of Dougong: what every operator of a kind must compute, and how it is measured.

`contract("norm.rms@1")` imports the module that defines it (and torch) on first use; `ids()` and
the import of this package cost nothing.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
from typing import TYPE_CHECKING

from dougong.errors import ContractError

if TYPE_CHECKING:
    from dougong.contracts.definition import Contract

_MODULES = {
    "attention.exact@1": "dougong.contracts.attention.exact",
    "attention.approx@1": "dougong.contracts.attention.approx",
    "norm.layer@1": "dougong.contracts.norm.layer",
    "norm.rms@1": "dougong.contracts.norm.rms",
    "norm.group@1": "dougong.contracts.norm.group",
    "norm.add_rms@1": "dougong.contracts.norm.add_rms",
    "norm.add_layer@1": "dougong.contracts.norm.add_layer",
    "activation.gelu@1": "dougong.contracts.activation.gelu",
    "activation.silu@1": "dougong.contracts.activation.silu",
    "activation.squared_relu@1": "dougong.contracts.activation.squared_relu",
    "activation.swiglu@1": "dougong.contracts.activation.swiglu",
    "optimizer.step@1": "dougong.contracts.optimizer.step",
    "backend.inference@1": "dougong.contracts.backend.inference",
    "transform.quantize@1": "dougong.contracts.transform.quantize",
    "backend.inference@2": "dougong.contracts.backend.inference2",
    "transform.exact@1": "dougong.contracts.transform.exact",
    "optimizer.train@1": "dougong.contracts.optimizer.train",
    "attention.gated_delta@1": "dougong.contracts.attention.gated_delta",
}

__all__ = ["contract", "digests", "ids"]


def ids() -> tuple[str, ...]:
    """Return the id of every contract released, family by family; imports no torch."""
    return tuple(_MODULES)


def contract(id: str) -> Contract:
    """Return a contract with its digest filled.

    Args:
        id: `norm.rms@1`, or `norm.rms` for the newest version.

    Raises:
        ContractError: no such contract; the message lists close ids.
    """
    if id in _MODULES:
        return _loaded(id)
    versions = [known for known in _MODULES if known.partition("@")[0] == id]
    if versions:
        return _loaded(max(versions, key=lambda known: int(known.partition("@")[2])))
    close = difflib.get_close_matches(id, _MODULES, n=3, cutoff=0.5) or list(_MODULES)
    raise ContractError(
        f"contract must be one of those released, got {id!r}; close: {', '.join(close)}"
    )


def digests() -> dict[str, str]:
    """Return the digest of every contract released, from the source as installed; no torch."""
    from dougong.contracts.digest import digest_of

    return {id: digest_of(module) for id, module in _MODULES.items()}


@functools.cache
def _loaded(id: str) -> Contract:
    from dougong.contracts.digest import digest_of

    found: Contract = importlib.import_module(_MODULES[id]).CONTRACT
    return dataclasses.replace(found, digest=digest_of(_MODULES[id]))
