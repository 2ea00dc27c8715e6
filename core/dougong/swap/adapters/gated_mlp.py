"""Adapter for gated MLPs of model code: down_proj(act_fn(gate_proj(x)) * up_proj(x)), SiLU only.

The operator takes the place of the activation and the product; the three projections stay the
module's own. As `act_fn` is no longer called, a module whose `act_fn` carries hooks is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dougong.contracts.definition import Case
from dougong.swap.adapters.fit import Fit, Probe, device_of, normal, rejected
from dougong.swap.adapters.rms import one_argument_problem, stand_in

_CONTRACT = "activation.swiglu@1"
_PARTS = {"gate_proj", "up_proj", "down_proj", "act_fn"}
_WIDTH, _INNER = 4, 6
"""Sizes of the trial MLP."""


def gated_forward(module: Any, operator: Callable[..., Any], x: Tensor) -> Any:
    """Forward of a swapped gated MLP."""
    return module.down_proj(operator(module.gate_proj(x), module.up_proj(x)))


def fit(module: nn.Module) -> Fit | None:
    """Return how a gated MLP meets the contract; None where it is not one with SiLU."""
    if set(module._modules) != _PARTS or not is_silu(module._modules["act_fn"]):
        return None
    activation = module._modules["act_fn"]
    if activation is not None and (activation._forward_hooks or activation._forward_pre_hooks):
        return rejected(_CONTRACT, "act_fn has hooks, which would no longer fire")
    kind = type(module)
    if kind not in _verdicts:
        _verdicts[kind] = one_argument_problem(kind) or _disagreement(module)
    if problem := _verdicts[kind]:
        return rejected(_CONTRACT, problem)
    return Fit(contracts=(_CONTRACT,), forward=gated_forward, probe=Probe(cases=_cases))


def is_silu(module: nn.Module | None) -> bool:
    """Whether a module is SiLU, torch's or transformers'."""
    kind = type(module)
    return kind is nn.SiLU or (
        kind.__name__ == "SiLUActivation" and kind.__module__ == "transformers.activations"
    )


_verdicts: dict[type[nn.Module], str] = {}
"""What was found of each class, kept because a class does not change."""


def _disagreement(module: nn.Module) -> str:
    kind = type(module)
    cpu = torch.device("cpu")
    parts = {
        "gate_proj": _linear(_INNER, _WIDTH, 1),
        "up_proj": _linear(_INNER, _WIDTH, 2),
        "down_proj": _linear(_WIDTH, _INNER, 3),
    }
    trial = stand_in(module, _modules={**parts, "act_fn": module._modules["act_fn"]})
    x = normal((3, _WIDTH), torch.float32, cpu, 4)
    try:
        with torch.no_grad():
            found = kind.forward(trial, x)
            expected = parts["down_proj"](
                nn.functional.silu(parts["gate_proj"](x)) * parts["up_proj"](x)
            )
    # The forward of a class we have never seen may raise anything.
    except Exception as error:
        return f"{kind.__name__}.forward failed on a trial input: {type(error).__name__}: {error}"
    if isinstance(found, Tensor) and torch.allclose(found, expected, rtol=1e-4, atol=1e-5):
        return ""
    return f"{kind.__name__} does not compute down(silu(gate(x)) * up(x)) on a trial input"


def _linear(rows: int, columns: int, seed: int) -> nn.Linear:
    layer = nn.Linear(columns, rows, bias=False, device="meta")
    values = normal((rows, columns), torch.float32, torch.device("cpu"), seed)
    layer.weight = nn.Parameter(values, requires_grad=False)
    return layer


def _cases(module: nn.Module, dtype: torch.dtype) -> tuple[Case, ...]:
    device = device_of(module)
    gate, up = (normal((5, 33), dtype, device, seed) for seed in (1, 2))
    return (Case(tensors={"gate": 3 * gate, "up": up}, static={}, differentiable=("gate", "up")),)
