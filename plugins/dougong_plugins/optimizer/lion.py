"""Lion: the sign of an interpolated momentum.

Paper: Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023, arXiv:2302.06675, alg. 2.

    c <- sign(beta1 * m + (1 - beta1) * g)
    p <- p * (1 - lr * weight_decay) - lr * c
    m <- beta2 * m + (1 - beta2) * g

State of each parameter: `exp_avg` (m), shape and dtype of the parameter; half of AdamW's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dougong_plugins.optimizer.grouped import GroupedOptimizer, check_betas, check_rates


class Lion(GroupedOptimizer):
    """Lion over lists of tensors.

    Args:
        params: Parameters or groups of them.
        lr: Exact change of each element in one step, in units of the parameter; the paper takes a
            third to a tenth of AdamW's.
        betas: Share of the momentum in the update, and in the momentum kept.
        weight_decay: Decoupled; the fraction `lr * weight_decay` is taken off in each step, so
            that it grows as `lr` shrinks against AdamW's.
        maximize: Climb the objective.

    Raises:
        ValueError: a rate is negative or a beta lies outside [0, 1).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        check_rates(lr=lr, weight_decay=weight_decay)
        check_betas(betas)
        settings = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, settings)

    def update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        beta1, beta2 = group["betas"]
        momenta = self.states(params, "exp_avg")
        updates = torch._foreach_mul(momenta, beta1)
        torch._foreach_add_(updates, grads, alpha=1 - beta1)
        torch._foreach_sign_(updates)
        torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(params, updates, alpha=-group["lr"])
        torch._foreach_mul_(momenta, beta2)
        torch._foreach_add_(momenta, grads, alpha=1 - beta2)
