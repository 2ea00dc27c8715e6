"""What is timed of one operator: workloads, dtypes and modes, by profile.

`infer` is the forward call, `train` forward and backward (an optimizer's step counts as `train`
too), `compiled` the forward call under `torch.compile`, the baseline likewise.
"""

from __future__ import annotations

import dataclasses

import torch

from dougong.contracts.definition import Workload
from dougong_ci.judge.correctness import asked
from dougong_ci.judge.docket import Docket
from dougong_ci.judge.request import Profile

_COMPILED_FAMILIES = ("attention", "norm", "activation")


@dataclasses.dataclass(frozen=True, slots=True)
class Heat:
    """One thing to time: a workload in a dtype and mode."""

    workload: Workload
    dtype: torch.dtype
    mode: str

    @property
    def key(self) -> str:
        """Name that is unique within one operator."""
        return f"{self.workload.name}/{self.dtype}/{self.mode}"


def heats(docket: Docket, profile: Profile) -> list[Heat]:
    """Return what to time, first the board that every profile measures."""
    contract, operator = docket.answers.contract, docket.operator
    workloads = asked(contract, operator, contract.workloads, "speed")
    mode = "train" if contract.family == "optimizer" else "infer"
    main, *others = speed_dtypes(docket)
    found = [Heat(workload, main, mode) for workload in workloads]
    if profile.every_dtype:
        found += [Heat(workload, dtype, mode) for dtype in others for workload in workloads]
    if profile.every_mode and contract.family in _COMPILED_FAMILIES:
        if contract.gradient != "none" and operator.gradients != "none":
            found += [Heat(workload, main, "train") for workload in workloads]
        found += [Heat(workload, main, "compiled") for workload in workloads]
    return found


def speed_dtypes(docket: Docket) -> list[torch.dtype]:
    """Return the operator's dtypes of the contract's, float32 first where it has it."""
    names = [name for name in docket.answers.contract.dtypes if name in docket.operator.dtypes]
    found = [getattr(torch, name) for name in sorted(names, key="float32".__ne__)]
    if not all(isinstance(dtype, torch.dtype) for dtype in found):
        raise TypeError(f"every one of {names} must be a torch dtype")
    return found
