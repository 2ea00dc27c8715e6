"""The formula of each optimizer variant, one parameter at a time, in the dtype of the parameter.

Each rule is `rule(p, g, state, **hyperparameters) -> new p`, where `state` is a dict kept from step
to step, empty at the first. `lr` is in units of p per unit of update; `weight_decay` is decoupled
(p shrinks by lr * weight_decay a step) everywhere but in SGD, where it is coupled (weight_decay * p
is added to the gradient).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

State = dict[str, Any]
Rule = Callable[..., Tensor]

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Quintic coefficients of Muon, from its author's post; they do not converge to 1 on purpose."""


def adamw(
    p: Tensor,
    g: Tensor,
    state: State,
    *,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> Tensor:
    """Adam with decoupled weight decay.

    m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g**2;
    p = (1 - lr wd) p - lr (m / (1 - b1**t)) / (sqrt(v / (1 - b2**t)) + eps)

    Paper: Loshchilov & Hutter, 2017, arXiv:1711.05101, algorithm 2 (schedule multiplier 1, and
    weight decay multiplied by lr as torch does). State: m and v, in the dtype of p.
    """
    first, second = betas
    t = state["step"] = state.get("step", 0) + 1
    m = state["m"] = first * _kept(state, "m", p) + (1 - first) * g
    v = state["v"] = second * _kept(state, "v", p) + (1 - second) * g * g
    denominator = (v / (1 - math.pow(second, t))).sqrt() + eps
    return p * (1 - lr * weight_decay) - lr * (m / (1 - math.pow(first, t))) / denominator


def sgd_momentum(
    p: Tensor,
    g: Tensor,
    state: State,
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
    nesterov: bool,
) -> Tensor:
    """Stochastic gradient descent with heavy-ball or Nesterov momentum, coupled weight decay.

    d = g + wd p; b = momentum b + d (b = d at the first step);
    p = p - lr (d + momentum b if nesterov else b)

    Paper: Sutskever et al., 2013, proceedings.mlr.press/v28/sutskever13.html, eq. 1 and 2, in the
    form of torch, where lr multiplies the buffer. State: b, in the dtype of p.
    """
    d = g + weight_decay * p
    b: Tensor = momentum * state["b"] + d if "b" in state else d
    state["b"] = b
    return p - lr * (d + momentum * b if nesterov else b)


def lion(
    p: Tensor,
    g: Tensor,
    state: State,
    *,
    lr: float,
    betas: tuple[float, float],
    weight_decay: float,
) -> Tensor:
    """Sign of an interpolated momentum, decoupled weight decay.

    p = (1 - lr wd) p - lr sign(b1 m + (1 - b1) g); m = b2 m + (1 - b2) g; sign(0) = 0

    Paper: Chen et al., 2023, arXiv:2302.06675, algorithm 2. State: m, in the dtype of p.
    """
    first, second = betas
    m = _kept(state, "m", p)
    step = (first * m + (1 - first) * g).sign()
    state["m"] = second * m + (1 - second) * g
    return p * (1 - lr * weight_decay) - lr * step


def muon(
    p: Tensor,
    g: Tensor,
    state: State,
    *,
    lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> Tensor:
    """Orthogonalised momentum of a matrix, decoupled weight decay.

    b = momentum b + (1 - momentum) g; u = momentum b + (1 - momentum) g if nesterov else b;
    p = (1 - lr wd) p - lr sqrt(max(1, rows / columns)) orthogonalised(u)

    Source: Jordan et al., 2024, kellerjordan.github.io/posts/muon, with the moving-average momentum
    and the default `original` scaling of torch.optim.Muon. Parameters must be 2-D: what an operator
    does with others (torch refuses them, many give them AdamW) is not part of the contract. State:
    b, in the dtype of p.
    """
    b = state["b"] = momentum * _kept(state, "b", p) + (1 - momentum) * g
    u = momentum * b + (1 - momentum) * g if nesterov else b
    scaled = lr * math.sqrt(max(1.0, p.shape[0] / p.shape[1]))
    return p * (1 - lr * weight_decay) - scaled * orthogonalised(u)


def orthogonalised(u: Tensor, *, steps: int = 5, eps: float = 1e-7) -> Tensor:
    """Push the singular values of a matrix towards 1 by a Newton-Schulz quintic.

    x = u / max(||u||_F, eps), transposed if tall; then `steps` times, with s = x x^T:
    x = a x + (b s + c s s) x. The result is U S' V^T with S' within about (0.7, 1.2) where the
    singular values of x are not tiny, not exactly U V^T.

    Args:
        u: Matrix, shape (rows, columns), computed in its own dtype.
        steps: Iterations.
        eps: Least norm divided by.
    """
    a, b, c = NEWTON_SCHULZ
    x: Tensor = u.mT if u.shape[0] > u.shape[1] else u
    x = x / torch.linalg.vector_norm(x).clamp_min(eps)
    for _ in range(steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.mT if u.shape[0] > u.shape[1] else x


def adafactor(
    p: Tensor,
    g: Tensor,
    state: State,
    *,
    lr: float,
    beta2_decay: float,
    eps: tuple[float, float],
    d: float,
    weight_decay: float,
) -> Tensor:
    """Adam without momentum and with a factored second moment, decoupled weight decay.

    w = t**beta2_decay; alpha = max(eps2, rms(p)) min(lr, 1 / sqrt(t)), rms(p) before the decay;
    for p of two or more dimensions, over the last two: r = (1 - w) r + w mean_columns(g**2),
    c = (1 - w) c + w mean_rows(g**2), v = r c / max(mean(r), eps1); otherwise
    v = (1 - w) v + w g**2; u = g / sqrt(max(v, eps1**2));
    p = (1 - lr wd) p - alpha u / max(1, rms(u) / d)

    Paper: Shazeer & Stern, 2018, arXiv:1804.04235, algorithms 4 to 6, as torch.optim.Adafactor
    defines it: `lr` bounds the relative step, and eps1 is a lower bound where the paper adds it to
    the square. State: r and c, or v, in the dtype of p.
    """
    least, least_scale = eps
    t = state["step"] = state.get("step", 0) + 1
    w = math.pow(t, beta2_decay)
    alpha = max(least_scale, float(_rms(p))) * min(lr, 1 / math.sqrt(t))
    if g.ndim > 1:
        squares = g * g
        rows, columns = squares.mean(-1, keepdim=True), squares.mean(-2, keepdim=True)
        r = state["r"] = (1 - w) * _kept(state, "r", rows) + w * rows
        c = state["c"] = (1 - w) * _kept(state, "c", columns) + w * columns
        v = r @ c / r.mean(-2, keepdim=True).clamp_min(least)
    else:
        v = state["v"] = (1 - w) * _kept(state, "v", g) + w * g * g
    u = g * v.clamp_min(least * least).rsqrt()
    return p * (1 - lr * weight_decay) - alpha * u / max(1.0, float(_rms(u)) / d)


def _kept(state: State, name: str, like: Tensor) -> Tensor:
    """Return a tensor of the state, zeros at the first step."""
    value = state.get(name)
    return value if isinstance(value, Tensor) else torch.zeros_like(like)


def _rms(x: Tensor) -> Tensor:
    return x.square().mean().sqrt()


RULES: dict[str, Rule] = {
    "adamw": adamw,
    "sgd-momentum": sgd_momentum,
    "lion": lion,
    "muon": muon,
    "adafactor": adafactor,
}
