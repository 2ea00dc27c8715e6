"""Adapter for the RMS norms that model code brings along: LlamaRMSNorm, Qwen2RMSNorm and kin.

A class is not taken at its name. It must have a one-dimensional `weight`, its eps under `eps` or
`variance_epsilon`, a forward of one argument, and it must agree with the contract's reference when
its own forward is run, once a class, on random weights. (Gemma's multiplies by 1 + weight and is
told apart in this way.)

What differs: LlamaRMSNorm and kin round the normalised input to the working dtype before they
multiply by the weight; the contract rounds once, at the end. In float32 there is no difference
beyond rounding, in bfloat16 the results may be one rounding apart.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dougong.contracts.norm.rms import rms_norm
from dougong.swap.adapters.fit import Fit, Probe, normal, rejected
from dougong.swap.adapters.torch_nn import norm_cases, own_forward, rms_norm_forward

_CONTRACT = "norm.rms@1"
_EPS = ("variance_epsilon", "eps")
_NOTE = "the class rounds before it multiplies by the weight, the contract after"


def variance_epsilon_forward(
    module: nn.Module, operator: Callable[..., Any], hidden_states: Tensor
) -> Any:
    """Forward of a swapped RMS norm whose eps is called `variance_epsilon`."""
    return operator(hidden_states, module.weight, eps=module.variance_epsilon)


def fit(module: nn.Module) -> Fit | None:
    """Return how an RMS norm defined by model code meets the contract."""
    kind = type(module)
    if "RMSNorm" not in kind.__name__:
        return None
    if problem := _attribute_problem(module):
        return rejected(_CONTRACT, problem)
    eps_name = next(name for name in _EPS if name in module.__dict__)
    eps = module.__dict__[eps_name]
    if problem := _class_problem(kind, eps_name, module):
        return rejected(_CONTRACT, problem)
    return Fit(
        contracts=(_CONTRACT,),
        forward=variance_epsilon_forward if eps_name == "variance_epsilon" else rms_norm_forward,
        static={"eps": eps},
        probe=Probe(cases=norm_cases("weight"), native=own_forward),
        note=_NOTE if weight_bits(module) < 32 else "",
    )


def weight_bits(module: nn.Module) -> int:
    """Return the bits of an element of the module's weight."""
    weight = module._parameters["weight"]
    return 0 if weight is None else 8 * weight.element_size()


def one_argument_problem(kind: type[nn.Module]) -> str:
    """Say why a class's forward is not `forward(x)`, or return an empty string."""
    parameters = list(inspect.signature(kind.forward).parameters.values())[1:]
    if len(parameters) == 1 and parameters[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
        return ""
    found = ", ".join(map(str, parameters))
    return f"{kind.__name__}.forward must take one argument, takes ({found})"


def stand_in(module: nn.Module, **replaced: Any) -> nn.Module:
    """Return a bare instance of the module's class that shares its attributes, some replaced.

    No constructor runs and the module itself is not touched.
    """
    bare = object.__new__(type(module))
    bare.__dict__.update(module.__dict__)
    bare.__dict__.update(replaced)
    return bare


def _attribute_problem(module: nn.Module) -> str:
    name = type(module).__name__
    weight = module._parameters.get("weight")
    if weight is None or weight.ndim != 1:
        return f"{name} must have a one-dimensional parameter `weight`"
    if extra := sorted({*module._parameters, *module._buffers, *module._modules} - {"weight"}):
        return f"{name} has more than a weight: {', '.join(extra)}"
    found = [each for each in _EPS if isinstance(module.__dict__.get(each), float)]
    if len(found) != 1:
        return f"{name} must keep its eps under one of {', '.join(_EPS)}"
    eps = module.__dict__[found[0]]
    return "" if eps > 0 else f"eps must be positive, got {eps}"


def _class_problem(kind: type[nn.Module], eps_name: str, module: nn.Module) -> str:
    known = _verdicts.get((kind, eps_name))
    if known is None:
        known = one_argument_problem(kind) or _disagreement(module, module.__dict__[eps_name])
        _verdicts[kind, eps_name] = known
    return known


_verdicts: dict[tuple[type[nn.Module], str], str] = {}
"""What was found of each class, kept because a class does not change."""


def _disagreement(module: nn.Module, eps: float) -> str:
    kind = type(module)
    size = module._parameters["weight"].shape[0]  # type: ignore[union-attr]  # checked before
    cpu = torch.device("cpu")
    weight, x = (normal((size,), torch.float32, cpu, 1), normal((3, size), torch.float32, cpu, 2))
    trial = stand_in(module, _parameters={"weight": nn.Parameter(weight, requires_grad=False)})
    try:
        with torch.no_grad():
            found = kind.forward(trial, x)
    # The forward of a class we have never seen may raise anything.
    except Exception as error:
        return f"{kind.__name__}.forward failed on a trial input: {type(error).__name__}: {error}"
    agrees = functools.partial(torch.allclose, found, rtol=1e-4, atol=1e-5)
    if not isinstance(found, Tensor) or found.shape != x.shape or found.dtype != x.dtype:
        return f"{kind.__name__} does not return a tensor like its input"
    if agrees(rms_norm(x, weight, eps=eps)):
        return ""
    if agrees(rms_norm(x, 1 + weight, eps=eps)):
        return f"{kind.__name__} multiplies by (1 + weight), {_CONTRACT} by the weight"
    return f"{kind.__name__} does not compute {_CONTRACT} on a trial input"
