"""AdamW whose state takes a byte an element: both moments quantized in blocks.

Paper: Dettmers et al., "8-bit Optimizers via Block-wise Quantization", 2021, arXiv:2110.02861.
Differs from the paper: in place of its dynamic-tree code, a block of `BLOCK` elements is scaled by
its largest magnitude and the fourth root (signed, for m) or the eighth root (for v) of what is left
is rounded to 8 bits. A root spends its steps on small values, which is what the tree code is for.

    m, v <- dequantized state; then AdamW as in `dougong_plugins.optimizer.adamw`
    state <- quantized m, v

State of each parameter: two bytes an element and two float32 scales a block, where AdamW's takes
eight bytes an element. Parameters of fewer than `least` elements keep plain state, as in the paper.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.optimizer import ParamsT

from dougong_plugins.optimizer.adamw import adam_direction
from dougong_plugins.optimizer.grouped import GroupedOptimizer, check_betas, check_rates

BLOCK = 256


class AdamW8bit(GroupedOptimizer):
    """AdamW with quantized state.

    Args:
        params: Parameters or groups of them.
        lr: Step length, in units of the parameter.
        betas: Averaging factors of the first and second moment.
        eps: Added to the root, in units of the gradient.
        weight_decay: Decoupled; the fraction `lr * weight_decay` is taken off in each step.
        least: Elements from which on state is quantized.
        maximize: Climb the objective.

    Raises:
        ValueError: a rate is negative or a beta lies outside [0, 1).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-2,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        least: int = 1024,
        maximize: bool = False,
    ) -> None:
        check_rates(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        settings = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "least": least,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    def update(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        for p, g in zip(params, grads, strict=True):
            t = self.count(p)
            p.mul_(1 - group["lr"] * group["weight_decay"])
            if p.numel() < group["least"]:
                (m,), (v,) = self.states([p], "exp_avg"), self.states([p], "exp_avg_sq")
                step = adam_direction(g, m, v, t, group["betas"], group["eps"])
            else:
                m, v = self._moment(p, "m"), self._moment(p, "v")
                step = adam_direction(g, m, v, t, group["betas"], group["eps"])
                self.state[p].update(zip(("m_code", "m_scale"), quantized(m, 4), strict=True))
                self.state[p].update(zip(("v_code", "v_scale"), quantized(v, 8), strict=True))
            p.sub_(step, alpha=group["lr"])

    def _moment(self, p: Tensor, name: str) -> Tensor:
        state = self.state[p]
        if f"{name}_code" not in state:
            return torch.zeros_like(p, memory_format=torch.contiguous_format)
        power = 4 if name == "m" else 8
        flat = dequantized(state[f"{name}_code"], state[f"{name}_scale"], power)
        return flat[: p.numel()].view(p.shape).to(p.dtype)


def quantized(values: Tensor, power: int) -> tuple[Tensor, Tensor]:
    """Round values to a byte each, in blocks.

    Args:
        values: Any shape, floating point.
        power: Steps are even in the root of this order.

    Returns:
        Codes, int8, a whole number of blocks; and the largest magnitude of each block, float32.
    """
    flat = values.flatten().float()
    rows = functional.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)
    scale = rows.abs().amax(1)
    shares = rows / torch.where(scale > 0, scale, 1.0).unsqueeze(1)
    codes = shares.abs().pow(1 / power).mul(127).round().copysign(shares)
    return codes.to(torch.int8).flatten(), scale


def dequantized(codes: Tensor, scale: Tensor, power: int) -> Tensor:
    """Return what `quantized` rounded, flat and padded to whole blocks, float32."""
    shares = codes.view(-1, BLOCK).float() / 127
    return (shares.abs().pow(power).copysign(shares) * scale.unsqueeze(1)).flatten()
