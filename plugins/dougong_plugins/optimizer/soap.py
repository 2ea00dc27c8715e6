"""SOAP: Adam in the eigenbasis of Shampoo's second moments.

Paper: Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", 2024, arXiv:2409.11321,
algorithm 3. Differs from the paper: the basis is taken from the first gradient at once, so that no
step is skipped.

    L <- beta2 L + (1 - beta2) g g^T          R <- beta2 R + (1 - beta2) g^T g
    m <- beta1 m + (1 - beta1) g
    g' = QL^T g QR                            m' = QL^T m QR
    v <- beta2 v + (1 - beta2) g'^2
    p <- p (1 - lr wd) - lr QL (m' / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)) QR^T

QL and QR, eigenvectors of L and R, follow every `every` steps by one power iteration and a QR
decomposition, their columns kept in the order of the eigenvalues, and v with them. Vectors, and
matrices with a dimension beyond `most`, take Adam's step.

State of an m x n matrix: m and v of its size, L and QL (m x m), R and QR (n x n).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dougong_plugins.optimizer.adamw import adam_direction
from dougong_plugins.optimizer.grouped import GroupedOptimizer, check_betas, check_rates


class SOAP(GroupedOptimizer):
    """SOAP for matrices, Adam for vectors.

    A parameter of more than two dimensions counts as the matrix (first, all others).

    Args:
        params: Parameters or groups of them.
        lr: Step length, as of Adam.
        betas: Averaging factors of the gradient, and of every second moment.
        eps: Added to the root, in units of the gradient.
        weight_decay: Decoupled; the fraction `lr * weight_decay` is taken off in each step.
        every: Steps between two updates of the basis.
        most: Largest dimension that is rotated.
        maximize: Climb the objective.

    Raises:
        ValueError: a rate is negative or a beta lies outside [0, 1).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        every: int = 10,
        most: int = 2048,
        maximize: bool = False,
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
                step = self._rotated(group, p, matrix, m.view_as(matrix), v.view_as(matrix), t)
            else:
                step = adam_direction(g, m, v, t, group["betas"], group["eps"])
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.sub_(step.view_as(p), alpha=group["lr"])

    def _rotated(
        self, group: dict[str, Any], p: Tensor, g_MN: Tensor, m_MN: Tensor, v_MN: Tensor, t: int
    ) -> Tensor:
        state, (beta1, beta2) = self.state[p], group["betas"]
        for name, moment in (("left", g_MN @ g_MN.mT), ("right", g_MN.mT @ g_MN)):
            if name not in state:
                state[name] = torch.zeros_like(moment)
            state[name].lerp_(moment, 1 - beta2)
        if "left_basis" not in state:
            state["left_basis"] = eigenbasis(state["left"])
            state["right_basis"] = eigenbasis(state["right"])
        elif t % group["every"] == 0:
            state["left_basis"], rows = followed(state["left"], state["left_basis"])
            state["right_basis"], columns = followed(state["right"], state["right_basis"])
            v_MN.copy_(v_MN[rows][:, columns])
        left, right = state["left_basis"], state["right_basis"]
        turned = left.mT @ g_MN @ right
        m_MN.lerp_(g_MN, 1 - beta1)
        v_MN.mul_(beta2).addcmul_(turned, turned, value=1 - beta2)
        root = (v_MN / (1 - beta2**t)).sqrt_().add_(group["eps"])
        step: Tensor = left @ ((left.mT @ m_MN @ right) / (1 - beta1**t) / root) @ right.mT
        return step


def eigenbasis(moment_NN: Tensor) -> Tensor:
    """Return the eigenvectors of a symmetric matrix as columns, the largest eigenvalue first."""
    _, vectors_NN = torch.linalg.eigh(moment_NN.to(torch.float64))
    basis_NN: Tensor = vectors_NN.flip(1).to(moment_NN.dtype).contiguous()
    return basis_NN


def followed(moment_NN: Tensor, basis_NN: Tensor) -> tuple[Tensor, Tensor]:
    """Return the basis after one power iteration, and the old columns in the new order.

    Args:
        moment_NN: Symmetric matrix, shape (N, N).
        basis_NN: What was nearly its eigenbasis.

    Returns:
        The new basis, shape (N, N), and indices into the old one, shape (N,).
    """
    values_N = (basis_NN * (moment_NN @ basis_NN)).sum(0)
    order_N = values_N.argsort(descending=True, stable=True)
    basis, _ = torch.linalg.qr(moment_NN @ basis_NN[:, order_N])
    return basis, order_N
