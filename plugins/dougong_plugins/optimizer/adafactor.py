"""Adafactor: second moments kept as one row and one column.

Paper: Shazeer & Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018,
arXiv:1804.04235, alg. 4 and 5 with the relative step size of sec. 8.
Differs from the paper as PyTorch does: eps1 bounds the second moment from below instead of being
added to the squared gradient, `lr` caps the relative step, and there is a decoupled weight decay.

    b <- t**beta2_decay,  r <- max(eps2, rms(p)) * min(lr, 1 / sqrt(t))
    p <- p * (1 - lr * weight_decay)
    matrices:  R <- (1 - b) * R + b * mean(g**2, over columns)
               C <- (1 - b) * C + b * mean(g**2, over rows)
               V = R C / max(mean(R), eps1)
    vectors:   V <- (1 - b) * V + b * g**2
    u <- g / sqrt(max(V, eps1**2))
    p <- p - r * u / max(1, rms(u) / d)

State of a matrix (M, N): `row_var` (M, 1) and `col_var` (1, N); of a vector: `variance`, its shape;
of both: `step`. More dimensions are matrices over the last two. Dtype of the parameter.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dougong_plugins.optimizer.grouped import GroupedOptimizer, check_rates


class Adafactor(GroupedOptimizer):
    """Adafactor without momentum.

    Args:
        params: Parameters or groups of them.
        lr: Cap of the relative step: the change in one step as a fraction of the parameter's root
            mean square.
        beta2_decay: Exponent of the averaging schedule, `1 - beta2 = t**beta2_decay`; <= 0.
        eps: (eps1, eps2): floor of the second moment's root, in units of the gradient (None for
            the epsilon of the dtype), and floor of the parameter's root mean square.
        d: Largest root mean square of an update before the step size is applied.
        weight_decay: Decoupled; the fraction `lr * weight_decay` is taken off in each step.
        maximize: Climb the objective.

    Raises:
        ValueError: a rate is negative, `d` is below 1 or `beta2_decay` is positive.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        check_rates(lr=lr, weight_decay=weight_decay, eps1=eps[0] or 0.0, eps2=eps[1])
        if d < 1:
            raise ValueError(f"d must be >= 1, got {d}")
        if beta2_decay > 0:
            raise ValueError(f"beta2_decay must be <= 0, got {beta2_decay}")
        settings = {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d}
        super().__init__(params, {**settings, "weight_decay": weight_decay, "maximize": maximize})

    def update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        for p, g in zip(params, grads, strict=True):
            if p.numel():
                self._update_one(group, p, g)

    def _update_one(self, group: dict[str, Any], p: Tensor, g: Tensor) -> None:
        lr, (floor, least_size) = group["lr"], group["eps"]
        floor = torch.finfo(p.dtype).eps if floor is None else floor
        t = self.count(p)
        step = max(least_size, _rms(p)) * min(lr, t**-0.5)
        p.mul_(1 - lr * group["weight_decay"])
        variance = self._variance(p, g, t ** group["beta2_decay"], floor)
        u = g * variance.clamp(min=floor**2).rsqrt()
        p.add_(u, alpha=-step / max(1.0, _rms(u) / group["d"]))

    def _variance(self, p: Tensor, g: Tensor, share: float, floor: float) -> Tensor:
        state = self.state[p]
        if g.ndim < 2:
            (variance,) = self.states([p], "variance")
            return variance.lerp_(g.square(), share)
        if "row_var" not in state:
            state["row_var"] = g.new_zeros((*g.shape[:-1], 1))
            state["col_var"] = g.new_zeros((*g.shape[:-2], 1, g.shape[-1]))
        squared = g.square()
        row = state["row_var"].lerp_(squared.mean(-1, keepdim=True), share)
        column = state["col_var"].lerp_(squared.mean(-2, keepdim=True), share)
        product: Tensor = row @ column
        return product.div_(row.mean(-2, keepdim=True).clamp(min=floor))


def _rms(x: Tensor) -> float:
    return float(x.norm()) / math.sqrt(x.numel())
