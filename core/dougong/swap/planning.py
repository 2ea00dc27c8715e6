"""`plan`: decide for every selected module which operator serves it, and change nothing yet."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from torch import nn

from dougong.catalogue import Catalogue
from dougong.errors import PlanError
from dougong.swap import rendering
from dougong.swap.applying import Applied, apply
from dougong.swap.binding import Slot
from dougong.swap.choosing import Choice, Chooser, Mode
from dougong.swap.selectors import Key, assign, parse
from dougong.swap.sites import find_sites

Wanted = str | Sequence[str]


def plan(
    model: nn.Module,
    choices: Mapping[Key, Wanted],
    mode: Mode = "infer",
    *,
    catalogue: Catalogue | None = None,
) -> Plan:
    r"""Plan which operators take over which modules of a model. The model is not changed.

    Args:
        model: Any module tree. dtype and device are read from its parameters, module by module.
        choices: Selector -> what to use there. A selector is a contract (`norm.rms`,
            `norm.rms@1`), a family (`norm`), a path (`model.norm`), a glob (`model.layers.*.mlp`),
            a pattern (`re:layers\.\d+\.mlp$`) or a callable (path, module) -> bool; see
            `dougong.swap.selectors`. What to use is the name of an operator, `auto` (the best
            judged operator for this device, dtype and mode, or the reference where none is
            judged), `reference` (keep the module as it is), or a list of these, the first usable
            of which is taken.
        mode: `infer`: the operators serve the model in eval mode; in training mode it runs its
            own forward. `train`: the operators have gradients and serve it in both modes. Plans
            of both modes can be applied to one model: each mode then has its own operators.
        catalogue: Where operators are looked up; by default everything installed.

    Raises:
        PlanError: a selector matches nothing, two are equally specific on one module, or a named
            operator cannot be used on a module it was selected for. The message says why.
    """
    if not isinstance(model, nn.Module):
        raise PlanError(f"model must be an nn.Module, got {type(model).__name__}")
    if mode not in get_args(Mode):
        raise PlanError(f"mode must be infer or train, got {mode!r}")
    sites = find_sites(model)
    selected = assign(parse(choices, model), sites)
    chooser = Chooser(catalogue if catalogue is not None else Catalogue.discover(), mode)
    chosen = [chooser.choose(site, selected[site.path]) for site in sites if site.path in selected]
    return Plan(model, mode, _without_shadowed(chosen))


class Plan:
    """What is to be swapped. `print(plan)` shows it; `apply()` does it.

    Attributes:
        model: The model that was planned for.
        mode: `infer` or `train`.
        choices: One a selected module, in the order of the model's modules.
    """

    def __init__(self, model: nn.Module, mode: Mode, choices: Sequence[Choice]) -> None:
        self.model = model
        self.mode: Mode = mode
        self.choices = tuple(choices)

    def apply(self, check: Literal["quick", "none"] = "quick") -> Applied:
        """Put the operators in: all of them, or none.

        Args:
            check: `quick` first compares each operator with the contract's reference in float64,
                on small inputs with the modules' own weights, once for modules that are alike;
                in mode `train` gradients too. `none` trusts the plan.

        Returns:
            A handle with `report()` and `revert()`; as a context manager it reverts at the end.

        Raises:
            PlanError: a check failed, or a module was changed meanwhile; the model is as before.
        """
        if check not in ("quick", "none"):
            raise PlanError(f"check must be quick or none, got {check!r}")
        slots = [(choice.site, slot_of(choice)) for choice in self.choices if choice.entry]
        return apply(slots, self.mode, self.choices, checked=check == "quick")

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-able data, one entry a module."""
        return {
            "mode": self.mode,
            "swapped": sum(choice.entry is not None for choice in self.choices),
            "kept": sum(choice.entry is None for choice in self.choices),
            "modules": [rendering.choice_to_dict(choice) for choice in self.choices],
        }

    def __str__(self) -> str:
        return rendering.plan_table(self.mode, self.choices)


def slot_of(choice: Choice) -> Slot:
    """Return what `apply` will bind to the module of a choice."""
    if choice.entry is None:
        raise ValueError(f"{choice.site.path} keeps its reference")
    operator = choice.entry.operator
    return Slot(
        operator=operator.name,
        contract=operator.contract,
        target=operator.target,
        forward=choice.site.fit.forward,
        features=operator.features,
        modes=operator.modes,
        gradients=operator.gradients,
    )


def _above(path: str) -> str:
    return path.rpartition(".")[0]


def _without_shadowed(chosen: Sequence[Choice]) -> list[Choice]:
    """Keep the reference in an activation inside a gated MLP that is itself swapped."""
    gated = {
        choice.site.path
        for choice in chosen
        if choice.entry and choice.site.fit.contracts[0].startswith("activation.swiglu@")
    }
    return [
        dataclasses.replace(
            choice,
            entry=None,
            reason="never called: the gated MLP it is part of is swapped as a whole",
        )
        if choice.entry and choice.site.path not in gated and _above(choice.site.path) in gated
        else choice
        for choice in chosen
    ]
