"""Prodigy: Adam that estimates its own learning rate from the distance travelled.

Paper: Mishchenko & Defazio, "Prodigy: An Expeditiously Adaptive Parameter-Free Learner", 2023,
arXiv:2306.06101, algorithm 4.

    m <- beta1 m + (1 - beta1) d g            v <- beta2 v + (1 - beta2) d^2 g^2
    r <- b r + (1 - b) lr d^2 <g, p0 - p>     s <- b s + (1 - b) lr d^2 g     (b = sqrt(beta2))
    d <- max(d, growth r / |s|_1)
    p <- p (1 - d lr wd) - d lr m / (sqrt(v) + d eps)

d begins at `d0`, is one number over all parameters, and multiplies `lr`, which stays near 1. The
step uses the d of before it was raised, as the paper does.

State of each parameter: m, v, s and p0, of its size; of the whole: r and d, in `param_groups`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dougong_plugins.optimizer.grouped import GroupedOptimizer, check_betas, check_rates


class Prodigy(GroupedOptimizer):
    """Prodigy.

    Args:
        params: Parameters or groups of them.
        lr: Multiple of the rate found; 1 but for schedules.
        betas: Averaging factors of the first and second moment.
        eps: Added to the root, in units of the gradient.
        weight_decay: Decoupled; multiplied by the rate.
        d0: First estimate, far below any useful rate.
        growth: Multiple of the estimate.
        maximize: Climb the objective.

    Raises:
        ValueError: a rate is negative or a beta lies outside [0, 1).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        d0: float = 1e-6,
        growth: float = 1.0,
        maximize: bool = False,
    ) -> None:
        check_rates(lr=lr, eps=eps, weight_decay=weight_decay, d0=d0, growth=growth)
        check_betas(betas)
        settings = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "d": d0,
            "r": 0.0,
            "growth": growth,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Update every parameter that has a gradient, then the estimate d of all groups."""
        self._along, self._norm = 0.0, 0.0
        loss = super().step(closure)
        first = self.param_groups[0]
        root = first["betas"][1] ** 0.5
        r = root * first["r"] + (1 - root) * self._along
        d = first["d"]
        if self._norm > 0:
            d = max(d, first["growth"] * r / self._norm)
        for group in self.param_groups:
            group["d"], group["r"] = d, r
        return loss

    def update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        beta1, beta2 = group["betas"]
        d, lr, root = group["d"], group["lr"], beta2**0.5
        for p, g in zip(params, grads, strict=True):
            if "start" not in self.state[p]:
                self.state[p]["start"] = p.clone(memory_format=torch.preserve_format)
            (m,), (v,), (s,) = (
                self.states([p], name) for name in ("exp_avg", "exp_avg_sq", "distance")
            )
            self._along += lr * d * d * float((g * (self.state[p]["start"] - p)).sum())
            s.mul_(root).add_(g, alpha=(1 - root) * lr * d * d)
            self._norm += float(s.abs().sum())
            m.mul_(beta1).add_(g, alpha=(1 - beta1) * d)
            v.mul_(beta2).addcmul_(g, g, value=(1 - beta2) * d * d)
            p.mul_(1 - d * lr * group["weight_decay"])
            p.addcdiv_(m, v.sqrt().add_(d * group["eps"]), value=-d * lr)
