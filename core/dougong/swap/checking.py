"""The quick check: the operator against the contract's reference, on the modules' own weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from dougong.contracts import contract
from dougong.contracts.accuracy import Comparison, compare
from dougong.contracts.definition import Case, Contract
from dougong.contracts.evaluate import (
    cotangents,
    golden,
    golden_gradients,
    gradients,
    native_gradients,
    natives,
)
from dougong.swap.adapters.fit import Probe
from dougong.swap.binding import Slot
from dougong.swap.sites import Site

_SEED = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The worst comparison of one module, over its cases, outputs and gradients."""

    what: str
    """`output` or `gradient of weight`."""
    comparison: Comparison
    error: str = ""
    """What the operator raised, where it raised."""

    @property
    def passed(self) -> bool:
        """Whether the operator may stay."""
        return not self.error and self.comparison.passed

    def __str__(self) -> str:
        if self.error:
            return self.error
        found = self.comparison
        return (
            f"{self.what}: error {found.max_error:.2g} of {found.bound:.2g}"
            if found.passed
            else f"{self.what}: {found.reason}"
        )


def check(site: Site, slot: Slot, mode: str) -> Check:
    """Compare an operator with the float64 golden on small inputs with the module's weights.

    Forward always; gradients of every differentiable input in mode `train`.
    """
    probe = site.fit.probe
    if probe is None:
        raise ValueError(f"{site.path}: its adapter has no probe")
    wanted = contract(slot.contract)
    worst: Check | None = None
    for case in probe.cases(site.module, site.dtype):
        for found in _compared(wanted, slot, case, probe, site, mode):
            if not found.passed:
                return found
            if worst is None or _share(found) > _share(worst):
                worst = found
    if worst is None:
        raise ValueError(f"{site.path}: its adapter gives no case")
    return worst


def signature(site: Site, slot: Slot) -> tuple[Any, ...]:
    """Return what two modules must share to need only one check."""
    shapes = tuple(parameter.shape for parameter in site.module.parameters(recurse=False))
    static = tuple(sorted(site.fit.static.items()))
    return (type(site.module), slot, site.dtype, str(site.device), shapes, static)


def _compared(
    wanted: Contract, slot: Slot, case: Case, probe: Probe, site: Site, mode: str
) -> Iterable[Check]:
    with torch.no_grad():
        found = _attempt(lambda: wanted.bind(slot.call, case)(case.tensors)[0])
        if isinstance(found, str):
            yield _raised(found)
            return
        trusted = [outputs[0] for outputs in natives(wanted, case)]
        if probe.native is not None:
            trusted.append(probe.native(site.module, case))
    yield _against(wanted, "output", found, trusted, golden(wanted, case)[0], site)
    if mode != "train" or not case.differentiable:
        return
    with torch.enable_grad():
        flowing = cotangents([found], _SEED, site.dtype)
        flowing = tuple(each.to(site.device) for each in flowing)
        mine = _attempt(lambda: gradients(wanted.bind(slot.call, case), case, flowing))
        if isinstance(mine, str):
            yield _raised(mine)
            return
        exact = golden_gradients(wanted, case, [each.double() for each in flowing])
        theirs = native_gradients(wanted, case, flowing)
    for name, value in mine.items():
        native = [gradient[name] for gradient in theirs]
        yield _against(wanted, f"gradient of {name}", value, native, exact[name], site)


def _against(
    wanted: Contract, what: str, found: Tensor, trusted: list[Tensor], exact: Tensor, site: Site
) -> Check:
    comparison = compare(
        found,
        trusted,
        exact,
        tolerance=wanted.tolerance,
        dtype=site.dtype,
        gradient=what != "output",
    )
    return Check(what=what, comparison=comparison)


def _attempt(call: Callable[[], Any]) -> Any:
    try:
        return call()
    # A stranger's operator may raise anything; the check reports it.
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"


def _raised(reason: str) -> Check:
    infinite = float("inf")
    nothing: Mapping[str, float] = dict.fromkeys(
        ("max_error", "rms_error", "relative_l2"), infinite
    )
    comparison = Comparison(
        native_max_error=0.0,
        native_rms_error=0.0,
        bound=0.0,
        passed=False,
        reason=reason,
        **nothing,
    )
    return Check(what="output", comparison=comparison, error=reason)


def _share(found: Check) -> float:
    bound = found.comparison.bound
    return found.comparison.max_error / bound if bound else 0.0
