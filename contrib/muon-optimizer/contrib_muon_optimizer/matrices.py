"""Muon by its author, muon-optimizer.

Adapter of muon-optimizer (MIT), versions >=0.1,<0.2. Differs: the step around `muon_update` is the
adapter's, because `SingleDeviceMuon` has no switch for Nesterov momentum; the update itself is
upstream's, on a copy of the gradient, which upstream overwrites.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from muon import muon_update


class AuthorsMuon(torch.optim.Optimizer):
    """Muon for parameters of two dimensions, one `muon.muon_update` a parameter and step.

    State: `momentum_buffer`, one tensor a parameter, of its dtype.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.02,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, {**defaults, "nesterov": nesterov})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; `closure` evaluates the loss again where it is given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                state = self.state[p]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(p)
                update = muon_update(
                    p.grad.clone(),
                    state["momentum_buffer"],
                    beta=group["momentum"],
                    nesterov=group["nesterov"],
                )
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update, alpha=-group["lr"])
        return loss
