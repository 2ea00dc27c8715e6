"""Lower precision where no dtype shows it: short mantissas, rounded intermediates and sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dougong.contracts.definition import Bound, Case, Contract

Operations = Callable[[str], bool]
"""Name of an operation, as `aten::sum` -> whether its result is rounded."""

_REDUCING = (
    "sum",
    "mean",
    "var",
    "norm",
    "softmax",
    "prod",
    "mm",
    "bmm",
    "addmm",
    "baddbmm",
    "dot",
    "convolution",
    "attention",
)


def EVERYTHING(name: str) -> bool:  # noqa: N802 - a choice of operations, like REDUCTIONS
    """Choose every operation."""
    return True


def REDUCTIONS(name: str) -> bool:  # noqa: N802 - a choice of operations, like EVERYTHING
    """Choose sums over many elements: reductions, products of matrices, convolutions."""
    words = name.partition("::")[2].replace("_", " ").split()
    return any(word in _REDUCING for word in words)


class Rounding(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's own
    """Round the floating-point results of the chosen operations to bfloat16, in their own dtype."""

    def __init__(self, which: Operations) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch's own
        self.which = which
        self.met = 0
        """Results rounded so far."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, then round what it made; what it wrote into stays as it is."""
        result = func(*args, **(kwargs or {}))
        if not self.which(str(func.name()).partition(".")[0]):
            return result
        given = {t.untyped_storage().data_ptr() for t in args if isinstance(t, Tensor)}
        if isinstance(result, tuple):
            return tuple(self._round(value, given) for value in result)
        return self._round(result, given)

    def _round(self, value: Any, given: set[int]) -> Any:
        if not isinstance(value, Tensor) or not value.is_floating_point():
            return value
        if value.untyped_storage().data_ptr() in given:
            return value
        self.met += 1
        return value.to(torch.bfloat16).to(value.dtype)


def reduces(bind: Callable[[Contract, Case], Bound], contract: Contract, case: Case) -> bool:
    """Say whether an implementation sums over many elements anywhere."""
    mode = Rounding(REDUCTIONS)
    with torch.no_grad(), mode:
        bind(contract, case)(case.tensors)
    return mode.met > 0


def to_tf32(value: Tensor) -> Tensor:
    """Return float32 values rounded to 10 bits of mantissa, others as they are."""
    if value.dtype != torch.float32:
        return value
    bits = value.contiguous().view(torch.int32)
    rounded = ((bits + 0x1000) & ~0x1FFF).view(torch.float32)
    # The derivative is that of the identity, as it is on the hardware.
    return value + (torch.where(value.isfinite(), rounded, value) - value).nan_to_num(0.0).detach()
