"""What optimizers share that see a matrix in a parameter: second moments of its two sides."""

from __future__ import annotations

import abc
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dougong_plugins.optimizer.adamw import adam_direction
from dougong_plugins.optimizer.grouped import GroupedOptimizer, check_betas, check_rates


class MatrixOptimizer(GroupedOptimizer):
    """A rule for matrices; vectors, and matrices with a dimension beyond `most`, take Adam's step.

    A parameter of more than two dimensions counts as the matrix (first, all others).

    Args:
        params: Parameters or groups of them.
        lr: Step length, as of Adam.
        betas: Averaging factors of the gradient, and of every second moment.
        eps: As the rule has it; and Adam's.
        weight_decay: Decoupled; the fraction `lr * weight_decay` is taken off in each step.
        every: Steps between what is costly.
        most: Largest dimension of a matrix that the rule is for.
        maximize: Climb the objective.

    Raises:
        ValueError: a rate is negative or a beta lies outside [0, 1).
    """

    def __init__(
        self,
        params: ParamsT,
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
        every: int,
        most: int,
        maximize: bool,
    ) -> None:
        check_rates(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        settings = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "every": every,
            "most": most,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    def update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        for p, g in zip(params, grads, strict=True):
            t = self.count(p)
            matrix = g.flatten(1) if g.ndim > 1 else g
            (m,), (v,) = self.states([p], "exp_avg"), self.states([p], "exp_avg_sq")
            if matrix.ndim > 1 and max(matrix.shape) <= group["most"] and matrix.numel():
                m, v = m.view_as(matrix), v.view_as(matrix)
                step = self.matrix_step(group, self.state[p], matrix, m, v, t)
            else:
                step = adam_direction(g, m, v, t, group["betas"], group["eps"])
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.sub_(step.view_as(p), alpha=group["lr"])

    @abc.abstractmethod
    def matrix_step(
        self,
        group: dict[str, Any],
        state: dict[str, Any],
        g_MN: Tensor,
        m_MN: Tensor,
        v_MN: Tensor,
        t: int,
    ) -> Tensor:
        """Return the step of a matrix for a rate of 1, and bring its state up to date.

        Args:
            group: The settings.
            state: Of the parameter.
            g_MN: Gradient, shape (M, N).
            m_MN: Average of the gradients before this one; to be brought up to date, in place.
            v_MN: The same of a second moment, as the rule has it.
            t: Step, from 1.
        """


def follow_sides(state: dict[str, Any], g_MN: Tensor, beta2: float) -> None:
    """Average g g^T into `left` (M, M) of a state, and g^T g into `right` (N, N)."""
    for name, moment in (("left", g_MN @ g_MN.mT), ("right", g_MN.mT @ g_MN)):
        if name not in state:
            state[name] = torch.zeros_like(moment)
        state[name].lerp_(moment, 1 - beta2)
