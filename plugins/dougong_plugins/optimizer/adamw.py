"""Adam with decoupled weight decay, three times: a plain loop, torch's lists, torch's fused kernel.

Paper: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2017, arXiv:1711.05101, alg. 2.
Differs from the paper: the decay is multiplied by lr, and eps is added after the bias correction,
as in PyTorch.

    g: gradient, t: step from 1
    p <- p * (1 - lr * weight_decay)
    m <- beta1 * m + (1 - beta1) * g
    v <- beta2 * v + (1 - beta2) * g**2
    p <- p - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

State of each parameter: `exp_avg` (m) and `exp_avg_sq` (v), shape and dtype of the parameter, and
`step`, a float32 scalar. The three classes read each other's `state_dict`, and torch's.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dougong_plugins.optimizer.grouped import GroupedOptimizer, check_betas, check_rates


class AdamWLoop(GroupedOptimizer):
    """AdamW, one parameter after another; the definition.

    Args:
        params: Parameters or groups of them.
        lr: Step length: about the change of each element in one step, in units of the parameter.
        betas: Averaging factors of the first and second moment.
        eps: Added to the root of the second moment, in units of the gradient.
        weight_decay: Decoupled; the fraction `lr * weight_decay` is taken off in each step.
        maximize: Climb the objective.

    Raises:
        ValueError: a rate is negative or a beta lies outside [0, 1).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        maximize: bool = False,
    ) -> None:
        check_rates(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**settings, "maximize": maximize})

    def update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        means = self.states(params, "exp_avg")
        squares = self.states(params, "exp_avg_sq")
        for p, g, m, v in zip(params, grads, means, squares, strict=True):
            adamw_step(p, g, m, v, self.count(p), group, lr=group["lr"])


def adamw_step(
    p: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, group: dict[str, Any], *, lr: float
) -> None:
    """Apply the formula of this module to one parameter, its m and its v, in place."""
    beta1, beta2 = group["betas"]
    p.mul_(1 - lr * group["weight_decay"])
    m.lerp_(g, 1 - beta1)
    v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
    root = (v.sqrt() / math.sqrt(1 - beta2**t)).add_(group["eps"])
    p.addcdiv_(m, root, value=-lr / (1 - beta1**t))


def adam_direction(
    g: Tensor, m: Tensor, v: Tensor, t: int, betas: tuple[float, float], eps: float
) -> Tensor:
    """Average a gradient into m and v, in place, and return Adam's step for a rate of 1.

    Args:
        g: Gradient.
        m: Average of the gradients so far, in the shape of `g`.
        v: Average of their squares.
        t: Step, from 1.
        betas: Averaging factors.
        eps: Added to the root, in units of the gradient.
    """
    beta1, beta2 = betas
    m.lerp_(g, 1 - beta1)
    v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
    return (m / (1 - beta1**t)).div_((v / (1 - beta2**t)).sqrt_().add_(eps))


class AdamWForeach(torch.optim.AdamW):
    """`AdamWLoop` by torch's operations over lists of tensors; arguments as there.

    On a CPU the list operations still run tensor by tensor: this is no faster there than a loop,
    and it holds a temporary of the size of all parameters.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, maximize=maximize, foreach=True)


class AdamWFused(torch.optim.AdamW):
    """`AdamWLoop` by torch's fused kernel, which reads and writes everything once.

    Arguments as for `AdamWLoop`.

    Raises:
        RuntimeError: a parameter is not floating point, or on a device without the kernel.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, maximize=maximize, fused=True)
