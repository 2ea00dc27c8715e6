"""Apply a plan all or nothing, report what runs, and take it back exactly."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Self

from torch import nn

from dougong.errors import PlanError
from dougong.swap import rendering
from dougong.swap.binding import RECORD, Slot, active, bind, check_untouched, slots_of
from dougong.swap.checking import Check, check, signature
from dougong.swap.choosing import Choice, Mode
from dougong.swap.sites import Site


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What `apply` did to one module."""

    site: Site
    before: Mapping[str, Slot]
    after: Mapping[str, Slot]
    check: Check | None


class Applied:
    """What `apply` returns: `report()` says what runs, `revert()` takes it back.

    As a context manager it reverts at the end of the block, whatever happened inside.
    """

    def __init__(self, mode: Mode, changes: Sequence[Change], choices: Sequence[Choice]) -> None:
        self.mode: Mode = mode
        self._changes = list(changes)
        self._choices = tuple(choices)
        self._reverted = False

    def report(self) -> Report:
        """Return what every module of the plan runs at this moment."""
        by_path = {change.site.path: change for change in self._changes}
        return Report(
            self.mode,
            tuple(
                ReportRow(
                    path=choice.site.path,
                    class_name=type(choice.site.module).__name__,
                    contract=slot.contract if slot else choice.site.fit.contracts[0],
                    operator=slot.operator if slot else "",
                    running=_running(choice.site.module),
                    check=str(change.check) if change and change.check else "",
                    reason=choice.reason,
                )
                for choice in self._choices
                for change in [by_path.get(choice.site.path)]
                for slot in [change.after[self.mode] if change else None]
            ),
        )

    def revert(self) -> None:
        """Put every module back as it was before this `apply`; a second call does nothing.

        Raises:
            PlanError: a later `apply` is still in force on one of the modules, or something else
                changed it; nothing is reverted then.
        """
        if self._reverted:
            return
        for change in self._changes:
            if slots_of(change.site.module) != change.after:
                raise PlanError(
                    f"{change.site.path or 'the model'} was swapped again since: revert the later "
                    "apply first"
                )
            check_untouched(change.site.module)
        for change in self._changes:
            bind(change.site.module, change.before)
        self._reverted = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.revert()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One module of a plan, after `apply`."""

    path: str
    class_name: str
    contract: str
    operator: str
    """The operator planned; empty where the reference was kept."""
    running: str
    """The operator that runs now; `reference` for the module's own forward."""
    check: str
    """What the quick check found; empty where none was run."""
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What every module of a plan runs."""

    mode: Mode
    rows: tuple[ReportRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able data."""
        return {"mode": self.mode, "modules": [dataclasses.asdict(row) for row in self.rows]}

    def __str__(self) -> str:
        return rendering.report_table(self)


def apply(
    slots: Sequence[tuple[Site, Slot]],
    mode: Mode,
    choices: Sequence[Choice],
    *,
    checked: bool,
) -> Applied:
    """Bind every slot in its module, or restore all of them and raise."""
    checks = _check_all(slots, mode) if checked else {}
    changes: list[Change] = []
    try:
        for site, slot in slots:
            before = slots_of(site.module)
            after = {**before, mode: slot}
            change = Change(site=site, before=before, after=after, check=checks.get(site.path))
            bind(site.module, after)
            changes.append(change)
    except BaseException:
        for change in reversed(changes):
            bind(change.site.module, change.before)
        raise
    return Applied(mode, changes, choices)


def revert(model: nn.Module) -> int:
    """Take every operator out of a model, whoever put it in: for copies and loaded models.

    Returns:
        The number of modules that were put back.

    Raises:
        PlanError: something else changed a module since; nothing is reverted then.
    """
    swapped = [module for module in model.modules() if RECORD in module.__dict__]
    for module in swapped:
        check_untouched(module)
    for module in swapped:
        bind(module, {})
    return len(swapped)


def _check_all(slots: Sequence[tuple[Site, Slot]], mode: Mode) -> dict[str, Check]:
    known: dict[Any, Check] = {}
    found: dict[str, Check] = {}
    for site, slot in slots:
        if site.device.type == "meta":
            raise PlanError(
                f"{site.path} is on the meta device and has no values to check with: load the "
                "weights first, or apply(check='none')"
            )
        key = signature(site, slot)
        if key not in known:
            known[key] = check(site, slot, mode)
        found[site.path] = known[key]
        if not known[key].passed:
            raise PlanError(
                f"{site.path or 'the model'}: {slot.operator} fails the quick check of "
                f"{slot.contract}: {known[key]}; nothing was changed"
            )
    return found


def _running(module: nn.Module) -> str:
    slot = active(module)
    return slot.operator if slot else "reference"
