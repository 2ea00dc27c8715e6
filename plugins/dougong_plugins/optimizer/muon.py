"""Muon: momentum made orthogonal by Newton-Schulz.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
https://kellerjordan.github.io/posts/muon/; coefficients as there.
Differs from the source: Newton-Schulz runs in float32 (float64 for float64 parameters) instead of
bfloat16, which is no faster on most CPUs; parameters of fewer than two dimensions are updated by
AdamW instead of being refused.

    m <- momentum * m + (1 - momentum) * g
    u <- (1 - momentum) * g + momentum * m     (nesterov; otherwise u = m)
    o <- NewtonSchulz(u), near the orthogonal factor of u
    p <- p * (1 - lr * weight_decay) - lr * sqrt(max(1, rows / columns)) * o

Newton-Schulz: x <- u / |u|, then `ns_steps` times x <- a x + (b A + c A A) x with A = x x^T.

State of a matrix: `momentum_buffer` (m), its shape and dtype. State of a vector: AdamW's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dougong_plugins.optimizer.adamw import adamw_step
from dougong_plugins.optimizer.grouped import GroupedOptimizer, check_betas, check_rates

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
EPS = 1e-7


class Muon(GroupedOptimizer):
    """Muon for matrices, with equal shapes orthogonalised in one batch; AdamW for vectors.

    A parameter of more than two dimensions counts as the matrix (first, all others).

    Args:
        params: Parameters or groups of them; embeddings and output heads do better under AdamW.
        lr: Step length: spectral norm of each matrix's change in one step is about `lr`.
        weight_decay: Decoupled; the fraction `lr * weight_decay` is taken off in each step.
        momentum: Averaging factor of the momentum.
        nesterov: Look ahead along the momentum.
        ns_steps: Newton-Schulz iterations.
        vector_lr_ratio: Vectors and scalars take AdamW steps of `lr * vector_lr_ratio`.
        betas: Averaging factors of those AdamW steps.
        eps: Their eps, in units of the gradient.
        maximize: Climb the objective.

    Raises:
        ValueError: a rate is negative or a factor lies outside [0, 1).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 2e-2,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        *,
        nesterov: bool = True,
        ns_steps: int = 5,
        vector_lr_ratio: float = 0.015,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        check_rates(lr=lr, weight_decay=weight_decay, vector_lr_ratio=vector_lr_ratio, eps=eps)
        check_betas((momentum, momentum))
        check_betas(betas)
        settings = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_steps": ns_steps,
            "vector_lr_ratio": vector_lr_ratio,
            "betas": betas,
            "eps": eps,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    def update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        matrices: dict[tuple[torch.Size, torch.dtype], list[tuple[Tensor, Tensor]]] = {}
        for p, g in zip(params, grads, strict=True):
            if p.ndim < 2:
                self._update_vector(group, p, g)
            elif p.numel():
                matrices.setdefault((p.shape, p.dtype), []).append((p, g))
        for pairs in matrices.values():
            self._update_matrices(group, [p for p, _ in pairs], [g for _, g in pairs])

    def _update_vector(self, group: dict[str, Any], p: Tensor, g: Tensor) -> None:
        (m,), (v,) = self.states([p], "exp_avg"), self.states([p], "exp_avg_sq")
        lr = group["lr"] * group["vector_lr_ratio"]
        adamw_step(p, g, m, v, self.count(p), group, lr=lr)

    def _update_matrices(
        self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]
    ) -> None:
        momentum, lr = group["momentum"], group["lr"]
        buffers = self.states(params, "momentum_buffer")
        torch._foreach_lerp_(buffers, grads, 1 - momentum)
        updates = (
            torch._foreach_lerp(grads, buffers, momentum) if group["nesterov"] else tuple(buffers)
        )
        u_PMN = torch.stack([u.flatten(1) for u in updates])
        o_PMN = orthogonalised(u_PMN, group["ns_steps"]).to(u_PMN.dtype)
        rows, columns = o_PMN.shape[-2:]
        torch._foreach_mul_(params, 1 - lr * group["weight_decay"])
        steps = [o.view_as(p) for o, p in zip(o_PMN, params, strict=True)]
        torch._foreach_add_(params, steps, alpha=-lr * max(1.0, rows / columns) ** 0.5)


def orthogonalised(u_PMN: Tensor, steps: int) -> Tensor:
    """Push the singular values of each matrix towards 1 (to about 0.7 to 1.2 in five steps).

    Args:
        u_PMN: Matrices, shape (P, M, N), any floating dtype.
        steps: Iterations of the quintic Newton-Schulz.

    Returns:
        Shape of `u_PMN`, float32 (float64 for float64 inputs); zeros stay zeros.
    """
    a, b, c = COEFFICIENTS
    x: Tensor = u_PMN.to(torch.promote_types(u_PMN.dtype, torch.float32))
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=EPS)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + torch.baddbmm(gram, gram, gram, beta=b, alpha=c) @ x
    return x.mT if tall else x
