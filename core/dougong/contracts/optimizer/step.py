"""A few steps of an optimizer from fresh parameters: `optimizer.step@1`.

The target is a `torch.optim.Optimizer` subclass, or a factory `f(params, **hyperparameters)` that
returns one. One judged call clones the parameters p0, p1, ..., makes the optimizer, sets the
gradients g0_0 (step 0, parameter 0), ..., steps, and returns the final parameters.

Which rule an operator follows is its `Operator.variant`. A workload carries the rule as
`params["variant"]` and as the feature `variant:<name>`, and `Contract.features_of(operator)` gives
an operator that feature, so that it is asked the workloads of its own rule only. A case carries the
rule as `static["variant"]`; the reference and the baselines choose by it, a candidate never sees
it. Each variant is held to its own formula in `dougong.contracts.optimizer.rules`.

The native error and the speed baseline are torch's own optimizer of the variant; for Lion, which
torch lacks, the formula. torch.optim.Muon orthogonalises in bfloat16 whatever the dtype, so that
Muon is held to that error, and its matrices are oblong: the noise of small singular values, which
the iteration amplifies, would drown the judgement of square ones.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.definition import Bound, Case, Contract
from dougong.contracts.optimizer import inputs, laws
from dougong.contracts.optimizer.rules import RULES, Rule

Factory = Callable[..., Optimizer]


@dataclasses.dataclass(frozen=True)
class ByVariant:
    """The trusted optimizer of each variant; `bind` tells it which one."""

    members: Mapping[str, Factory]

    def __call__(
        self, params: Iterable[Tensor], *, variant: str, **hyperparameters: Any
    ) -> Optimizer:
        """Make the optimizer of a variant."""
        return self.members[variant](params, **hyperparameters)


class Formula(Optimizer):
    """A rule run as it is written, in the dtype of the parameters."""

    def __init__(self, params: Iterable[Tensor], rule: Rule, **hyperparameters: Any) -> None:
        self.rule = rule
        super().__init__(params, hyperparameters)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override] # the judge gives gradients, never a closure
        """Replace every parameter that has a gradient by what the rule makes of it."""
        for group in self.param_groups:
            hyperparameters = {k: v for k, v in group.items() if k in self.defaults}
            for p in group["params"]:
                if p.grad is not None:
                    p.copy_(self.rule(p, p.grad, self.state[p], **hyperparameters))


def _formula(variant: str) -> Factory:
    def make(params: Iterable[Tensor], **hyperparameters: Any) -> Optimizer:
        return Formula(params, RULES[variant], **hyperparameters)

    return make


def _torch(variant: str) -> Factory:
    # Muon came with torch 2.9; before it the formula stands in.
    names = {"adamw": "AdamW", "sgd-momentum": "SGD", "muon": "Muon", "adafactor": "Adafactor"}
    return getattr(torch.optim, names.get(variant, ""), None) or _formula(variant)


formula = ByVariant({variant: _formula(variant) for variant in RULES})
torch_optimizer = ByVariant({variant: _torch(variant) for variant in RULES})


def bind(target: Any, case: Case) -> Bound:
    """Return the call that makes an optimizer and takes the steps.

    `static["resume_at"]`, where present, is a step before which the optimizer is replaced by a new
    one that loads its `state_dict`.
    """
    hyperparameters = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in case.static["hyperparameters"].items()
    }
    if isinstance(target, ByVariant):
        hyperparameters["variant"] = case.static["variant"]
    steps, resume_at = int(case.static["steps"]), case.static.get("resume_at")

    def call(tensors: Mapping[str, Tensor | None]) -> tuple[Tensor, ...]:
        count = sum(name.startswith("p") for name in tensors)
        params = [_given(tensors, f"p{i}").detach().clone().requires_grad_() for i in range(count)]
        optimizer = target(params, **hyperparameters)
        for step in range(steps):
            if step == resume_at:
                state = copy.deepcopy(optimizer.state_dict())
                optimizer = target(params, **hyperparameters)
                optimizer.load_state_dict(state)
            for i, p in enumerate(params):
                p.grad = _given(tensors, f"g{step}_{i}").detach().clone()
            optimizer.step()
        return tuple(p.detach() for p in params)

    return call


def _given(tensors: Mapping[str, Tensor | None], name: str) -> Tensor:
    value = tensors[name]
    if value is None:
        raise KeyError(f"the case has no tensor {name!r}")
    return value


CONTRACT = Contract(
    id="optimizer.step@1",
    summary="Steps of an optimizer with given gradients, from fresh parameters",
    signature="f(params, **hyperparameters) -> torch.optim.Optimizer",
    paper="arXiv:1711.05101",
    reference=formula,
    baselines={
        "torch": "dougong.contracts.optimizer.step:torch_optimizer",
        "formula": "dougong.contracts.optimizer.step:formula",
    },
    generate=inputs.generate,
    workloads=inputs.WORKLOADS,
    hidden=inputs.hidden,
    bind=bind,
    tolerance=Tolerance(cap_scale=inputs.cap_scale),
    gradient="none",
    laws=(laws.ORDER, laws.INDEPENDENCE, laws.SPLIT, laws.RESUME),
    cost=inputs.cost,
    dtypes=("float32",),
    features=tuple(f"variant:{variant}" for variant in RULES),
    variants=tuple(RULES),
)
