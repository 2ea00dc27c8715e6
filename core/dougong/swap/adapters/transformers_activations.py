"""Adapters for the activation classes of transformers (`transformers.activations.ACT2FN`).

transformers is never imported here: a class is known by where it says it comes from, and must
agree with the contract's reference when its own forward is run, once a class.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dougong.contracts import contract
from dougong.swap.adapters.fit import Fit, Probe, normal, rejected
from dougong.swap.adapters.torch_nn import own_forward, plain_forward, pointwise_cases

_GELU, _SILU, _SQUARED = "activation.gelu@1", "activation.silu@1", "activation.squared_relu@1"
_BY_NAME = {
    "GELUActivation": (_GELU, "none"),
    "GELUTanh": (_GELU, "tanh"),
    "NewGELUActivation": (_GELU, "tanh"),
    "FastGELUActivation": (_GELU, "tanh"),
    "AccurateGELUActivation": (_GELU, "tanh"),
    "SiLUActivation": (_SILU, ""),
    "ReLUSquaredActivation": (_SQUARED, ""),
}


def gelu_none_forward(module: nn.Module, operator: Callable[..., Any], input: Tensor) -> Any:
    """Forward of a swapped activation that is the exact GELU."""
    return operator(input, approximate="none")


def gelu_tanh_forward(module: nn.Module, operator: Callable[..., Any], input: Tensor) -> Any:
    """Forward of a swapped activation that is GELU by tanh."""
    return operator(input, approximate="tanh")


_FORWARDS = {"none": gelu_none_forward, "tanh": gelu_tanh_forward, "": plain_forward}


def fit(module: nn.Module) -> Fit | None:
    """Return how an activation module of transformers meets a contract."""
    kind = type(module)
    if kind.__module__ != "transformers.activations" or kind.__name__ not in _BY_NAME:
        return None
    contract_id, approximate = _BY_NAME[kind.__name__]
    static = {"approximate": approximate} if approximate else {}
    if problem := _disagreement(kind, module, contract_id, approximate):
        return rejected(contract_id, problem)
    return Fit(
        contracts=(contract_id,),
        forward=_FORWARDS[approximate],
        features=(f"approximate:{approximate}",) if approximate else (),
        static=static,
        probe=Probe(cases=pointwise_cases(**static), native=own_forward),
    )


def _disagreement(
    kind: type[nn.Module], module: nn.Module, contract_id: str, approximate: str
) -> str:
    if kind not in _verdicts:
        x = 3 * normal((64,), torch.float32, torch.device("cpu"))
        reference = contract(contract_id).reference
        if approximate:
            reference = functools.partial(reference, approximate=approximate)
        with torch.no_grad():
            agrees = torch.allclose(kind.forward(module, x), reference(x), rtol=1e-4, atol=1e-5)
        _verdicts[kind] = "" if agrees else f"{kind.__name__} does not compute {contract_id}"
    return _verdicts[kind]


_verdicts: dict[type[nn.Module], str] = {}
"""What was found of each class, kept because a class does not change."""
