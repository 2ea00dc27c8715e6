"""Mistakes in optimizers: wrong rules, and right rules kept or called wrongly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from dougong.contracts.definition import Contract
from dougong.contracts.optimizer.rules import RULES, Rule, State, orthogonalised
from dougong.contracts.optimizer.step import Formula
from dougong_ci.lint.families.targets import mutant
from dougong_ci.lint.mutants import SHARE, Mutant


def mutants(contract: Contract, variant: str) -> Iterator[Mutant]:
    """Make the mutants of one optimizer variant."""
    rule = RULES[variant]
    skips = ("non-finite-skipped", "skips the steps of gradients that are not finite", _Skips)
    kept: list[tuple[str, str, type[Formula]]] = [*KEPT_WRONGLY, skips]
    for name, summary, kind in kept:
        yield mutant(name, summary, _factory(kind, rule))
    for name, summary, wrong in _WRONG_RULES.get(variant, ()):
        yield mutant(name, summary, _factory(Formula, wrong))
    if "nesterov" in _settings(contract, variant):
        yield mutant(
            "nesterov-flipped",
            "looks ahead when it should not, and the other way round",
            _factory(Formula, _flipped(rule)),
        )


def _settings(contract: Contract, variant: str) -> dict[str, Any]:
    work = next(w for w in contract.workloads if f"variant:{variant}" in w.features)
    found: dict[str, Any] = contract.generate(work, 1, torch.float32).static["hyperparameters"]
    return found


def _factory(kind: type[Formula], rule: Rule) -> Callable[..., Optimizer]:
    def make(params: Iterable[Tensor], **hyperparameters: Any) -> Optimizer:
        return kind(params, rule, **hyperparameters)

    return make


class _StandsStill(Formula):
    def step(self, closure: None = None) -> None:  # type: ignore[override] # as in Formula
        """Do nothing."""


class _Picky(Formula):
    """A formula that updates only some parameters, or in another way."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override] # as in Formula
        """Update every parameter by `one`."""
        for group in self.param_groups:
            settings = {k: v for k, v in group.items() if k in self.defaults}
            for p in group["params"]:
                self.one(p, settings)

    def one(self, p: Tensor, settings: dict[str, Any]) -> None:
        """Update one parameter, gradient or none."""
        if p.grad is not None:
            p.copy_(self.rule(p, p.grad, self.state[p], **settings))

    def last(self) -> Tensor:
        """Return the last parameter of all."""
        found: Tensor = self.param_groups[-1]["params"][-1]
        return found


class _LastForgotten(_Picky):
    def one(self, p: Tensor, settings: dict[str, Any]) -> None:
        """Leave the last parameter alone."""
        if p is not self.last():
            super().one(p, settings)


class _RowsForgotten(_Picky):
    def one(self, p: Tensor, settings: dict[str, Any]) -> None:
        """Put the last rows back."""
        kept = p.clone()
        super().one(p, settings)
        count = max(1, round(SHARE * len(p)))
        p[-count:] = kept[-count:]


class _RateKept(_Picky):
    def one(self, p: Tensor, settings: dict[str, Any]) -> None:
        """Take the lr that the parameter had first."""
        rates = self.__dict__.setdefault("rates", {})
        super().one(p, {**settings, "lr": rates.setdefault(id(p), settings["lr"])})


class _FirstGroup(_Picky):
    def one(self, p: Tensor, settings: dict[str, Any]) -> None:
        """Take the lr of the first group."""
        super().one(p, {**settings, "lr": self.param_groups[0]["lr"]})


class _NoneAsZero(_Picky):
    def one(self, p: Tensor, settings: dict[str, Any]) -> None:
        """Step on zeros where there is no gradient."""
        if p.grad is None:
            p.copy_(self.rule(p, torch.zeros_like(p), self.state[p], **settings))
        else:
            super().one(p, settings)


class _StateLost(Formula):
    def load_state_dict(self, state_dict: Any) -> None:
        """Load the groups and leave the state out."""
        super().load_state_dict({**state_dict, "state": {}})


class _StateShared(_Picky):
    def one(self, p: Tensor, settings: dict[str, Any]) -> None:
        """Take the state of the first parameter of the shape."""
        if p.grad is not None:
            shared = self.__dict__.setdefault("shared", {}).setdefault(tuple(p.shape), {})
            p.copy_(self.rule(p, p.grad, shared, **settings))


class _Skips(_Picky):
    def one(self, p: Tensor, settings: dict[str, Any]) -> None:
        """Update where the gradient is finite."""
        if p.grad is not None and bool(p.grad.isfinite().all()):
            super().one(p, settings)


KEPT_WRONGLY: tuple[tuple[str, str, type[Formula]], ...] = (
    ("stands-still", "takes no step", _StandsStill),
    ("last-parameter-forgotten", "never updates the last parameter", _LastForgotten),
    ("last-rows-forgotten", "leaves the last 5 % of the rows alone", _RowsForgotten),
    ("rate-kept", "keeps the lr of the start, whatever a scheduler sets", _RateKept),
    ("first-group-only", "takes the lr of the first group for all", _FirstGroup),
    ("none-as-zero", "takes a missing gradient for zeros", _NoneAsZero),
    ("state-not-loaded", "forgets its state when it is loaded", _StateLost),
    ("state-shared", "keeps one state for parameters of a shape", _StateShared),
)
"""Mistakes that can be made of any rule."""


def _flipped(rule: Rule) -> Rule:
    def wrong(p: Tensor, g: Tensor, state: State, *, nesterov: bool, **rest: Any) -> Tensor:
        return rule(p, g, state, nesterov=not nesterov, **rest)

    return wrong


def _adam(
    *, corrected: bool = True, shift: int = 0, coupled: bool = False, inside: bool = False
) -> Rule:
    def rule(
        p: Tensor,
        g: Tensor,
        state: State,
        *,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
    ) -> Tensor:
        first, second = betas
        g = g + weight_decay * p if coupled else g
        t = state["step"] = state.get("step", shift) + 1
        m = state["m"] = first * state.get("m", torch.zeros_like(p)) + (1 - first) * g
        v = state["v"] = second * state.get("v", torch.zeros_like(p)) + (1 - second) * g * g
        m = m / (1 - math.pow(first, t)) if corrected else m
        v = v / (1 - math.pow(second, t)) if corrected else v
        root = (v + eps).sqrt() if inside else v.sqrt() + eps
        stepped: Tensor = p * (1 - (0 if coupled else lr * weight_decay)) - lr * m / root
        return stepped

    return rule


def _coupled(rule: Rule) -> Rule:
    def wrong(p: Tensor, g: Tensor, state: State, *, weight_decay: float, **rest: Any) -> Tensor:
        return rule(p, g + weight_decay * p, state, weight_decay=0.0, **rest)

    return wrong


def _decoupled(rule: Rule) -> Rule:
    def wrong(
        p: Tensor, g: Tensor, state: State, *, lr: float, weight_decay: float, **rest: Any
    ) -> Tensor:
        return rule(p * (1 - lr * weight_decay), g, state, lr=lr, weight_decay=0.0, **rest)

    return wrong


def _dampened(p: Tensor, g: Tensor, state: State, *, momentum: float, **rest: Any) -> Tensor:
    scaled = g if "b" in state else g * (1 - momentum)
    return RULES["sgd-momentum"](p, scaled, state, momentum=momentum, **rest)


def _lion_late(
    p: Tensor,
    g: Tensor,
    state: State,
    *,
    lr: float,
    betas: tuple[float, float],
    weight_decay: float,
) -> Tensor:
    m = betas[1] * state.get("m", torch.zeros_like(p)) + (1 - betas[1]) * g
    state["m"] = m
    stepped: Tensor = p * (1 - lr * weight_decay) - lr * (betas[0] * m + (1 - betas[0]) * g).sign()
    return stepped


def _muon(*, steps: int = 5, scaled: bool = True) -> Rule:
    def rule(
        p: Tensor,
        g: Tensor,
        state: State,
        *,
        lr: float,
        momentum: float,
        nesterov: bool,
        weight_decay: float,
    ) -> Tensor:
        b = state["b"] = momentum * state.get("b", torch.zeros_like(p)) + (1 - momentum) * g
        u = momentum * b + (1 - momentum) * g if nesterov else b
        rate = lr * (math.sqrt(max(1.0, p.shape[0] / p.shape[1])) if scaled else 1.0)
        return p * (1 - lr * weight_decay) - rate * orthogonalised(u, steps=steps)

    return rule


def _unclipped(p: Tensor, g: Tensor, state: State, *, d: float, **rest: Any) -> Tensor:
    return RULES["adafactor"](p, g, state, d=1e9, **rest)


def _unscaled(p: Tensor, g: Tensor, state: State, *, lr: float, **rest: Any) -> Tensor:
    size = float(p.square().mean().sqrt().clamp_min(rest["eps"][1]))
    return RULES["adafactor"](p, g, state, lr=lr / size, **rest)


_WRONG_RULES: dict[str, tuple[tuple[str, str, Rule], ...]] = {
    "adamw": (
        ("bias-uncorrected", "leaves the bias correction out", _adam(corrected=False)),
        ("step-off-by-one", "counts the first step as the second", _adam(shift=1)),
        ("decay-coupled", "adds the weight decay to the gradient", _adam(coupled=True)),
        ("eps-inside", "adds eps inside the root", _adam(inside=True)),
    ),
    "sgd-momentum": (
        (
            "decay-decoupled",
            "takes the weight decay off the parameter",
            _decoupled(RULES["sgd-momentum"]),
        ),
        ("first-step-dampened", "dampens the first step", _dampened),
    ),
    "lion": (
        ("decay-coupled", "adds the weight decay to the gradient", _coupled(RULES["lion"])),
        ("momentum-first", "updates the momentum before it steps", _lion_late),
    ),
    "muon": (
        ("decay-coupled", "adds the weight decay to the gradient", _coupled(RULES["muon"])),
        ("four-iterations", "iterates four times in place of five", _muon(steps=4)),
        ("unscaled", "leaves out the scale of tall matrices", _muon(scaled=False)),
    ),
    "adafactor": (
        ("unclipped", "does not clip the update", _unclipped),
        ("unscaled", "does not scale the step by the parameter", _unscaled),
        ("decay-coupled", "adds the weight decay to the gradient", _coupled(RULES["adafactor"])),
    ),
}
