"""Shampoo: each dimension of a gradient preconditioned by a root of its own second moment.

Paper: Gupta et al., "Shampoo: Preconditioned Stochastic Tensor Optimization", 2018,
arXiv:1802.09568, algorithm 1, for matrices. Differs from the paper: the second moments are moving
averages (`beta2`) instead of sums, and the step is given the norm that Adam's would have (grafting,
as Anil et al., 2020, arXiv:2002.09018, section 3), without which one learning rate fits no two
models.

    L <- beta2 L + (1 - beta2) g g^T          R <- beta2 R + (1 - beta2) g^T g
    m <- beta1 m + (1 - beta1) g
    u <- (L + eps I)^(-1/4) m (R + eps I)^(-1/4)
    p <- p (1 - lr wd) - lr u |a| / |u|,      a = Adam's step

eps is relative to the largest eigenvalue. The roots are taken anew in each
of the first `every` steps, when they change most, and then every `every` steps. Vectors,
and matrices with a dimension beyond `most`, take Adam's step.

State of an m x n matrix: m and v of its size, L and its root (m x m), R and its root (n x n).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dougong_plugins.optimizer.adamw import adam_direction
from dougong_plugins.optimizer.matrices import MatrixOptimizer, follow_sides

TINY = 1e-30


class Shampoo(MatrixOptimizer):
    """Shampoo for matrices, grafted on Adam, which steps for vectors.

    A parameter of more than two dimensions counts as the matrix (first, all others).

    Args:
        params: Parameters or groups of them.
        lr: Step length, as of Adam.
        betas: Averaging factors of the gradient, and of every second moment.
        eps: Added to the eigenvalues, as a share of the largest; and Adam's eps.
        weight_decay: Decoupled; the fraction `lr * weight_decay` is taken off in each step.
        every: Steps between two computations of the roots.
        most: Largest dimension that is preconditioned.
        maximize: Climb the objective.

    Raises:
        ValueError: a rate is negative or a beta lies outside [0, 1).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        every: int = 10,
        most: int = 2048,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            every=every,
            most=most,
            maximize=maximize,
        )

    def matrix_step(
        self,
        group: dict[str, Any],
        state: dict[str, Any],
        g_MN: Tensor,
        m_MN: Tensor,
        v_MN: Tensor,
        t: int,
    ) -> Tensor:
        adam = adam_direction(g_MN, m_MN, v_MN, t, group["betas"], group["eps"])
        follow_sides(state, g_MN, group["betas"][1])
        if t <= group["every"] or t % group["every"] == 0:
            for side in ("left", "right"):
                state[f"{side}_root"] = inverse_root(state[side], 4, group["eps"])
        u_MN: Tensor = state["left_root"] @ m_MN @ state["right_root"]
        grafted: Tensor = u_MN * (adam.norm() / u_MN.norm().clamp_min(TINY))
        return grafted


def inverse_root(moment_NN: Tensor, order: int, eps: float) -> Tensor:
    """Return the inverse root of a symmetric matrix of no negative eigenvalue.

    Args:
        moment_NN: The matrix, shape (N, N).
        order: Of the root: 4 gives A^(-1/4).
        eps: Added to the eigenvalues, as a share of the largest.

    Returns:
        Shape and dtype of the matrix; the identity for zeros.
    """
    wide = moment_NN.to(torch.float64)
    values_N, vectors_NN = torch.linalg.eigh(wide)
    most = values_N[-1].clamp_min(0)
    if not float(most):
        return torch.eye(len(wide), dtype=moment_NN.dtype, device=moment_NN.device)
    roots_N = (values_N.clamp_min(0) + eps * most).pow(-1 / order)
    root_NN: Tensor = (vectors_NN * roots_N @ vectors_NN.mT).to(moment_NN.dtype)
    return root_NN
