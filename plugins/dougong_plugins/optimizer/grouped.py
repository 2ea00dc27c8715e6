"""What the optimizers written here share: closures, groups, and parameters without a gradient."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor


class GroupedOptimizer(torch.optim.Optimizer, abc.ABC):
    """An optimizer whose rule updates the parameters of one group at a time.

    A parameter whose `.grad` is None is left alone, and so is its state. State lives in
    `self.state[parameter]` in the parameter's dtype and device, so that `state_dict` and
    `load_state_dict` resume to the bit. `maximize=True` in a group turns its gradients round.
    """

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient.

        Args:
            closure: Evaluates the model anew and returns the loss; run with gradients enabled.

        Returns:
            What the closure returned.

        Raises:
            RuntimeError: a gradient is sparse or complex.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            for p in params:
                if p.grad.is_sparse or p.grad.is_complex():
                    raise RuntimeError(
                        f"{type(self).__name__} takes dense real gradients, got one that is "
                        f"{'sparse' if p.grad.is_sparse else 'complex'}"
                    )
            grads = [p.grad.neg() if group["maximize"] else p.grad for p in params]
            self.update(group, params, grads)
        return loss

    @abc.abstractmethod
    def update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        """Apply the rule to the parameters of a group, in place.

        Args:
            group: The settings.
            params: Those of the group that have a gradient; at least one.
            grads: Their gradients, already turned round under `maximize`; not to be changed.
        """

    def states(self, params: list[Tensor], name: str) -> list[Tensor]:
        """Return one state tensor of each parameter, zeros where there is none yet."""
        for p in params:
            if name not in self.state[p]:
                self.state[p][name] = torch.zeros_like(p, memory_format=torch.preserve_format)
        return [self.state[p][name] for p in params]

    def count(self, param: Tensor) -> int:
        """Raise the parameter's number of steps by one and return it.

        Kept as a float32 scalar under `step`, as torch's own optimizers keep it.
        """
        state = self.state[param]
        state["step"] = state.get("step", torch.zeros((), dtype=torch.float32)) + 1
        return int(state["step"])


def check_rates(**rates: float) -> None:
    """Refuse a negative rate.

    Raises:
        ValueError: a value is negative.
    """
    for name, value in rates.items():
        if value < 0:
            raise ValueError(f"{name} must be >= 0, got {value}")


def check_betas(betas: tuple[float, float]) -> None:
    """Refuse an averaging factor outside [0, 1).

    Raises:
        ValueError: a value is outside.
    """
    if not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas must lie in [0, 1), got {betas}")
