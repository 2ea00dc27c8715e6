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

from dougong_plugins.optimizer.matrices import MatrixOptimizer, follow_sides


class SOAP(MatrixOptimizer):
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
        beta1, beta2 = group["betas"]
        follow_sides(state, g_MN, beta2)
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
