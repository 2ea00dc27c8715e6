"""AdEMAMix: Adam with a second, slow average of the gradients.

Paper: Pagliardini et al., "The AdEMAMix Optimizer: Better, Faster, Older", 2024, arXiv:2409.03137,
algorithm 1.

    m1 <- beta1 m1 + (1 - beta1) g
    m2 <- beta3(t) m2 + (1 - beta3(t)) g
    v  <- beta2 v + (1 - beta2) g^2
    p  <- p (1 - lr wd) - lr (m1 / (1 - beta1^t) + alpha(t) m2) / (sqrt(v / (1 - beta2^t)) + eps)

alpha(t) grows linearly to `alpha` within `warmup` steps; beta3(t) from beta1 to beta3 so that its
half-life grows linearly (equation 5 of the paper's appendix A.1).

State of each parameter: `exp_avg` (m1), `exp_avg_slow` (m2), `exp_avg_sq` (v); three of its size.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from dougong_plugins.optimizer.grouped import GroupedOptimizer, check_betas, check_rates


class AdEMAMix(GroupedOptimizer):
    """AdEMAMix over lists of tensors.

    Args:
        params: Parameters or groups of them.
        lr: Step length, in units of the parameter.
        betas: Averaging factors of the fast average, the square, and the slow average.
        alpha: Weight of the slow average.
        warmup: Steps over which alpha and the third beta grow to their values; 0: at once.
        eps: Added to the root, in units of the gradient.
        weight_decay: Decoupled; the fraction `lr * weight_decay` is taken off in each step.
        maximize: Climb the objective.

    Raises:
        ValueError: a rate is negative or a beta lies outside [0, 1).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        betas: tuple[float, float, float] = (0.9, 0.999, 0.9999),
        alpha: float = 5.0,
        warmup: int = 0,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        check_rates(lr=lr, alpha=alpha, warmup=warmup, eps=eps, weight_decay=weight_decay)
        check_betas(betas[:2])
        check_betas(betas[1:])
        settings = {
            "lr": lr,
            "betas": betas,
            "alpha": alpha,
            "warmup": warmup,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    def update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        beta1, beta2, beta3 = group["betas"]
        for p, g in zip(params, grads, strict=True):
            t = self.count(p)
            (fast,), (slow,), (v,) = (
                self.states([p], name) for name in ("exp_avg", "exp_avg_slow", "exp_avg_sq")
            )
            grown = min(1.0, t / group["warmup"]) if group["warmup"] else 1.0
            fast.lerp_(g, 1 - beta1)
            slow.lerp_(g, 1 - _slow_beta(beta1, beta3, grown))
            v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
            root = (v / (1 - beta2**t)).sqrt_().add_(group["eps"])
            step = fast / (1 - beta1**t) + grown * group["alpha"] * slow
            p.mul_(1 - group["lr"] * group["weight_decay"]).addcdiv_(step, root, value=-group["lr"])


def _slow_beta(beta1: float, beta3: float, grown: float) -> float:
    """Return the slow factor when a share `grown` of its half-life has been reached."""
    if beta1 == 0 or beta3 == 0:
        return beta3
    first, last = math.log(beta1), math.log(beta3)
    return min(math.exp(first * last / ((1 - grown) * last + grown * first)), beta3)
