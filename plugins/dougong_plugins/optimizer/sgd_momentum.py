"""Gradient descent with momentum.

Papers: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964,
doi:10.1016/0041-5553(64)90137-5 (heavy ball); Sutskever et al., "On the importance of
initialization and momentum in deep learning", 2013 (Nesterov's form).

    g <- g + weight_decay * p
    b <- momentum * b + g             (b = g in the first step)
    p <- p - lr * b                   (nesterov: p - lr * (g + momentum * b))

State of each parameter: `momentum_buffer` (b), shape and dtype of the parameter.
"""

from __future__ import annotations

import torch
from torch.optim.optimizer import ParamsT


class SGDMomentum(torch.optim.SGD):
    """The rule above by torch's fused kernel.

    Args:
        params: Parameters or groups of them.
        lr: Step length, in units of parameter per unit of gradient.
        momentum: Share of the last step's direction that is kept.
        weight_decay: Coupled: added to the gradient as `weight_decay * p`, before the momentum.
        nesterov: Look ahead along the momentum.
        maximize: Climb the objective.

    Raises:
        ValueError: a rate is negative, or `nesterov` without momentum (torch's message).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        *,
        nesterov: bool = False,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            momentum,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
            fused=True,
        )
