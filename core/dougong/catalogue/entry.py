"""One operator as it is installed here, and one plugin that could not be used."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from dougong.catalogue import machine

if TYPE_CHECKING:
    from dougong.operator import Operator

DIFFERENTIABLE = ("attention", "norm", "activation")
"""Families whose operators sit inside the graph that a training step differentiates."""


@dataclasses.dataclass(frozen=True, slots=True)
class Broken:
    """A plugin whose operators are not registered, and why, in one line."""

    plugin: str
    """Name of the entry point."""
    distribution: str
    """Name of the pip distribution; empty where the module belongs to none."""
    version: str
    reason: str
    operators: tuple[str, ...] = ()
    """Operator names seen before the plugin failed, so that asking for one gives the reason."""

    def __str__(self) -> str:
        return f"{self.plugin}: {self.reason}"


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """An operator with the plugin and the distribution that registered it."""

    operator: Operator
    plugin: str
    """Name of the entry point."""
    distribution: str
    """Name of the pip distribution; empty where the module belongs to none."""
    version: str
    """Version of the distribution."""

    @property
    def name(self) -> str:
        """`provider/name`."""
        return self.operator.name

    def unavailable(
        self, device: str | None = None, dtype: str | None = None, mode: str | None = None
    ) -> str | None:
        """Say in one line why the operator cannot be used here, or None where it can.

        The target is not imported. torch is imported only where `device` names something other than
        the CPU; without `device` an accelerator counts as present where its device files are.

        Args:
            device: torch device, `cuda` or `cuda:1`.
            dtype: torch dtype name without the prefix, `bfloat16`.
            mode: `infer` or `train`.
        """
        return (
            self._undeclared(device, dtype, mode)
            or next(
                filter(None, (machine.need_missing(need, device) for need in self.operator.needs)),
                None,
            )
            or next(filter(None, map(machine.requirement_missing, self.operator.requires)), None)
            or self._no_device(device)
        )

    def _undeclared(self, device: str | None, dtype: str | None, mode: str | None) -> str | None:
        operator = self.operator
        kind = device.partition(":")[0] if device else None
        if kind and kind not in operator.devices:
            return f"runs on {', '.join(operator.devices)}, not on {kind}"
        if dtype and dtype not in operator.dtypes:
            return f"accepts {', '.join(operator.dtypes)}, not {dtype}"
        if mode and mode not in operator.modes:
            return f"made to {' and '.join(operator.modes)}, not to {mode}"
        if mode == "train" and operator.gradients == "none" and operator.family in DIFFERENTIABLE:
            return "has no gradient (gradients='none'), so it cannot train"
        return None

    def _no_device(self, device: str | None) -> str | None:
        if device:
            return machine.device_missing(device)
        reasons = [machine.device_absent(kind) for kind in self.operator.devices]
        return reasons[0] if reasons and all(reasons) else None
