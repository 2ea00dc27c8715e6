"""The older optimizers of this folder as `optimizer.train@1` asks for them: with all settings.

One learning rate each, found on public seeds of the judge's lessons by the grid 1, 3, 10, ...
"""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from dougong_plugins.optimizer.adafactor import Adafactor
from dougong_plugins.optimizer.adamw import AdamWFused
from dougong_plugins.optimizer.lion import Lion
from dougong_plugins.optimizer.muon import Muon
from dougong_plugins.optimizer.sgd_momentum import SGDMomentum


def adamw(params: ParamsT) -> Optimizer:
    """Make AdamW, fused, at 1e-2."""
    return AdamWFused(params, lr=1e-2)


def sgd_momentum(params: ParamsT) -> Optimizer:
    """Make gradient descent with Nesterov's momentum at 0.1."""
    return SGDMomentum(params, lr=0.1, momentum=0.9, nesterov=True)


def lion(params: ParamsT) -> Optimizer:
    """Make Lion at 3e-3."""
    return Lion(params, lr=3e-3)


def muon(params: ParamsT) -> Optimizer:
    """Make Muon at 3e-2; vectors by AdamW at 1e-2."""
    settings: dict[str, Any] = {"lr": 3e-2, "vector_lr_ratio": 1 / 3, "weight_decay": 0.0}
    return Muon(params, **settings)


def adafactor(params: ParamsT) -> Optimizer:
    """Make Adafactor at a relative step of 0.05."""
    return Adafactor(params, lr=0.05)
