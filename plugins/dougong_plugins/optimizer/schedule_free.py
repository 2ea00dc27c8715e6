"""Schedule-Free AdamW: no learning-rate schedule, because what is evaluated is an average.

Paper: Defazio et al., "The Road Less Scheduled", 2024, arXiv:2405.15682, algorithm 1.

    p holds y <- (1 - beta1) z + beta1 x, where the gradient is taken
    v <- beta2 v + (1 - beta2) g^2
    d <- g / (sqrt(v / (1 - beta2^t)) + eps) + wd y
    z <- z - lr_t d,                          lr_t = lr min(1, t / warmup)
    c <- lr_max^2 / (sum over steps of lr_max^2)
    x <- (1 - c) x + c z

`eval()` puts x into the parameters and `train()` puts y back; call `eval()` before the parameters
are used or saved, `train()` before the next step. lr_max is the largest lr_t so far.

State of each parameter: `z` and `exp_avg_sq` (v), of its size; x is worked out from y and z.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dougong_plugins.optimizer.grouped import GroupedOptimizer, check_betas, check_rates


class ScheduleFreeAdamW(GroupedOptimizer):
    """Schedule-Free AdamW.

    Args:
        params: Parameters or groups of them.
        lr: Step length; somewhat larger than AdamW's.
        betas: Share of the average in where the gradient is taken (above 0), and averaging factor
            of the square.
        eps: Added to the root, in units of the gradient.
        weight_decay: Decoupled, at y.
        warmup: Steps over which the rate grows to `lr`.
        maximize: Climb the objective.

    Raises:
        ValueError: a rate is negative, a beta lies outside [0, 1) or the first is 0.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 3e-2,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        warmup: int = 0,
        maximize: bool = False,
    ) -> None:
        check_rates(lr=lr, eps=eps, weight_decay=weight_decay, warmup=warmup)
        check_betas(betas)
        if not betas[0]:
            raise ValueError("the first beta must be > 0, because x is worked out from y by it")
        settings = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "warmup": warmup,
            "maximize": maximize,
            "training": True,
            "steps": 0,
            "most": 0.0,
            "weight": 0.0,
        }
        super().__init__(params, settings)

    @torch.no_grad()
    def eval(self) -> None:
        """Put the average x into the parameters."""
        self._turn(training=False)

    @torch.no_grad()
    def train(self) -> None:
        """Put y, where gradients are taken, into the parameters."""
        self._turn(training=True)

    def _turn(self, *, training: bool) -> None:
        for group in self.param_groups:
            if group["training"] == training:
                continue
            group["training"] = training
            beta1 = group["betas"][0]
            for p in group["params"]:
                if (z := self.state[p].get("z")) is not None:
                    p.lerp_(z, 1 - beta1 if training else 1 - 1 / beta1)

    def update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        if not group["training"]:
            raise RuntimeError("the parameters hold the average: call train() before step()")
        beta1, beta2 = group["betas"]
        t = group["steps"] = group["steps"] + 1
        lr = group["lr"] * (min(1.0, t / group["warmup"]) if group["warmup"] else 1.0)
        group["most"] = max(group["most"], lr)
        group["weight"] += group["most"] ** 2
        c = group["most"] ** 2 / group["weight"] if group["weight"] else 0.0
        for y, g, z in zip(params, grads, self._iterates(params), strict=True):
            (v,) = self.states([y], "exp_avg_sq")
            v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
            root = (v / (1 - beta2 ** self.count(y))).sqrt_().add_(group["eps"])
            d = (g / root).add_(y, alpha=group["weight_decay"])
            # x <- (1 - c) x + c (z - lr d) and y <- (1 - beta1) z + beta1 x, with x left out.
            y.lerp_(z, c).sub_(d, alpha=lr * (1 - beta1 * (1 - c)))
            z.sub_(d, alpha=lr)

    def _iterates(self, params: list[Tensor]) -> list[Tensor]:
        for p in params:
            if "z" not in self.state[p]:
                self.state[p]["z"] = p.clone(memory_format=torch.preserve_format)
        return [self.state[p]["z"] for p in params]
