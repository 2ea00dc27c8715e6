"""What an adapter says of a module: the contract it computes, and how an operator takes over."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dougong.contracts.definition import Case

Forward = Callable[..., Any]
"""`f(module, operator, *arguments)`: what the module's forward becomes. It lives at module level,
so that it can be pickled by name, and reads weights and eps from the module at every call."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How to try an operator on one real module: small inputs, and the module's own answer."""

    cases: Callable[[nn.Module, torch.dtype], tuple[Case, ...]]
    """Calls of the contract with the module's own weights, on the device of the module."""
    native: Callable[[nn.Module, Case], Tensor] | None = None
    """The module's own output on a case, where its class computes the contract and no more."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How one module meets a contract, or why it cannot.

    Equal fits of modules of one class with weights of one shape are one case for the quick check.
    """

    contracts: tuple[str, ...]
    """Contracts an operator for this module may implement; the first is what it computes now."""
    forward: Forward | None = None
    """None for attention modules of transformers, which are reached by their own interface."""
    features: tuple[str, ...] = ()
    """Features that every call of this module needs."""
    static: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Static arguments of the contract, as read from the module when it was planned."""
    probe: Probe | None = None
    note: str = ""
    """What differs from the class's own arithmetic, within the contract's tolerance."""
    problem: str = ""
    """Why no operator can serve this module; empty where one can."""


def rejected(contract: str, problem: str) -> Fit:
    """Return the fit of a module that is of a kind but cannot be swapped."""
    return Fit(contracts=(contract,), problem=problem)


def device_of(module: nn.Module) -> torch.device:
    """Return where the module's first parameter lies, or the CPU where it has none."""
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


def normal(
    shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, seed: int = 0
) -> Tensor:
    """Draw a small standard-normal tensor; equal arguments give equal bits."""
    source = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=source, dtype=torch.float64).to(device, dtype)
