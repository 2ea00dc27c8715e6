"""Sophia without its second backward pass: momentum over a diagonal curvature, clipped.

Paper: Liu et al., "Sophia: A Scalable Stochastic Second-order Optimizer for Language Model
Pre-training", 2023, arXiv:2305.14342, algorithm 3. Differs from the paper: its estimate of the
curvature (Gauss-Newton-Bartlett) takes the gradient of labels sampled from the model, which no step
that is given a gradient can do. The squared gradient of the true labels stands in (the diagonal of
the empirical Fisher, to which it comes down where the model is right), every `every` steps.

    m <- beta1 m + (1 - beta1) g
    h <- beta2 h + (1 - beta2) batch g^2      (every `every` steps)
    p <- p (1 - lr wd) - lr clip(m / max(rho batch h, eps), 1)

State of each parameter: `exp_avg` (m) and `hessian` (h), of its size.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from dougong_plugins.optimizer.grouped import GroupedOptimizer, check_betas, check_rates


class SophiaG(GroupedOptimizer):
    """Sophia with squared gradients for its curvature.

    Args:
        params: Parameters or groups of them.
        lr: Largest change of an element in one step, in units of the parameter.
        betas: Averaging factors of the gradient and of the curvature.
        rho: Share of the elements that is not clipped grows with it.
        eps: Least denominator.
        weight_decay: Decoupled; the fraction `lr * weight_decay` is taken off in each step.
        every: Steps between two estimates of the curvature.
        batch: Examples that a gradient is the mean of: the factor between its square and the
            curvature. 1 leaves it to `rho`.
        maximize: Climb the objective.

    Raises:
        ValueError: a rate is negative or a beta lies outside [0, 1).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.965, 0.99),
        rho: float = 0.04,
        eps: float = 1e-12,
        weight_decay: float = 0.0,
        *,
        every: int = 10,
        batch: int = 1,
        maximize: bool = False,
    ) -> None:
        check_rates(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        settings = {
            "lr": lr,
            "betas": betas,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "every": every,
            "batch": batch,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    def update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        beta1, beta2 = group["betas"]
        for p, g in zip(params, grads, strict=True):
            t = self.count(p)
            (m,), (h,) = self.states([p], "exp_avg"), self.states([p], "hessian")
            m.lerp_(g, 1 - beta1)
            if t % group["every"] == 1 or group["every"] == 1:
                h.mul_(beta2).addcmul_(g, g, value=(1 - beta2) * group["batch"])
            curvature = (group["rho"] * group["batch"] * h).clamp_(min=group["eps"])
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.sub_((m / curvature).clamp_(-1, 1), alpha=group["lr"])
