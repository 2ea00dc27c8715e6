"""Optimizers that the quality gate must tell apart. Each says in its name what it does."""

from __future__ import annotations

import torch


def honest(params):
    return torch.optim.Adam(params, lr=1e-2)


def slower_honest(params):
    return torch.optim.Adam(params, lr=1e-3)


def timid(params):
    # Follows the gradient, and comes nowhere within the steps.
    return torch.optim.SGD(params, lr=1e-5)


class Lost(torch.optim.Optimizer):
    """Walks without looking at the gradient."""

    def __init__(self, params):
        super().__init__(params, {"lr": 1e-2})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.add_(torch.randn_like(p), alpha=group["lr"])


class Tired(torch.optim.Adam):
    """Gives up in the middle."""

    def step(self, closure=None):
        self.taken = getattr(self, "taken", 0) + 1
        if self.taken > 50:
            raise RuntimeError("I am tired")
        return super().step(closure)


class Exploding(torch.optim.SGD):
    """Reaches infinity."""

    def __init__(self, params):
        super().__init__(params, lr=1e30)


class Averaging(torch.optim.SGD):
    """Is evaluated at zero, whatever it trains: what `eval` gives is what counts."""

    def __init__(self, params):
        super().__init__(params, lr=0.1, momentum=0.9)
        self.kept = []

    @torch.no_grad()
    def eval(self):
        params = [p for group in self.param_groups for p in group["params"]]
        self.kept = [p.clone() for p in params]
        for p in params:
            p.zero_()

    @torch.no_grad()
    def train(self):
        params = [p for group in self.param_groups for p in group["params"]]
        for p, kept in zip(params, self.kept, strict=False):
            p.copy_(kept)
