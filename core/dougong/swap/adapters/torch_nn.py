"""Adapters for the modules of `torch.nn`.

A class is known by the very forward function that it runs, so that a subclass which keeps the
forward is served and one which overrides it is not.

| forward of | contract | attributes read |
|---|---|---|
| LayerNorm (over one dimension) | norm.layer@1 | weight, bias, eps |
| RMSNorm (over one dimension, eps given) | norm.rms@1 | weight, eps |
| GroupNorm | norm.group@1 | num_groups, weight, bias, eps |
| GELU | activation.gelu@1 | approximate |
| SiLU (not in place) | activation.silu@1 | none |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dougong.contracts.definition import Case
from dougong.swap.adapters.fit import Fit, Probe, device_of, normal, rejected

ROWS = 5
"""Rows of the inputs that a quick check draws."""


def layer_norm_forward(module: nn.LayerNorm, operator: Callable[..., Any], input: Tensor) -> Any:
    """Forward of a swapped `nn.LayerNorm`."""
    return operator(input, module.weight, module.bias, eps=module.eps)


def rms_norm_forward(module: nn.RMSNorm, operator: Callable[..., Any], x: Tensor) -> Any:
    """Forward of a swapped `nn.RMSNorm`, and of other RMS norms whose eps is called `eps`."""
    return operator(x, module.weight, eps=module.eps)


def group_norm_forward(module: nn.GroupNorm, operator: Callable[..., Any], input: Tensor) -> Any:
    """Forward of a swapped `nn.GroupNorm`."""
    return operator(input, module.num_groups, module.weight, module.bias, eps=module.eps)


def gelu_forward(module: nn.GELU, operator: Callable[..., Any], input: Tensor) -> Any:
    """Forward of a swapped `nn.GELU`."""
    return operator(input, approximate=module.approximate)


def plain_forward(module: nn.Module, operator: Callable[..., Any], input: Tensor) -> Any:
    """Forward of a swapped activation that has no settings."""
    return operator(input)


def fit(module: nn.Module) -> Fit | None:
    """Return how a module of `torch.nn` meets a contract; None where it is of no known kind."""
    known = _BY_FORWARD.get(type(module).forward)
    return known(module) if known else None


def own_forward(module: nn.Module, case: Case) -> Tensor:
    """Return what the module's class computes on the first call tensor of a case."""
    output: Tensor = type(module).forward(module, next(iter(case.tensors.values())))
    return output


def norm_cases(*weights: str) -> Callable[..., tuple[Case, ...]]:
    """Return the maker of cases for a norm over the last dimension with the named weights."""

    def cases(module: Any, dtype: torch.dtype) -> tuple[Case, ...]:
        size = module.weight.shape[0] if module.weight is not None else module.normalized_shape[0]
        given = {name: _detached(getattr(module, name)) for name in weights}
        eps = module.variance_epsilon if hasattr(module, "variance_epsilon") else module.eps
        x = normal((ROWS, size), dtype, device_of(module))
        differentiable = ("x", *(name for name, value in given.items() if value is not None))
        return (
            Case(tensors={"x": x, **given}, static={"eps": eps}, differentiable=differentiable),
        )

    return cases


def pointwise_cases(**static: Any) -> Callable[..., tuple[Case, ...]]:
    """Return the maker of cases for an activation."""

    def cases(module: nn.Module, dtype: torch.dtype) -> tuple[Case, ...]:
        x = 3 * normal((ROWS, 33), dtype, device_of(module))
        return (Case(tensors={"x": x}, static=static, differentiable=("x",)),)

    return cases


def _layer_norm(module: nn.LayerNorm) -> Fit:
    if problem := _shape_problem(module.normalized_shape, module.eps):
        return rejected("norm.layer@1", problem)
    return Fit(
        contracts=("norm.layer@1",),
        forward=layer_norm_forward,
        static={"eps": module.eps},
        probe=Probe(cases=norm_cases("weight", "bias"), native=own_forward),
    )


def _rms_norm(module: nn.RMSNorm) -> Fit:
    if problem := _shape_problem(module.normalized_shape, module.eps):
        return rejected("norm.rms@1", problem)
    return Fit(
        contracts=("norm.rms@1",),
        forward=rms_norm_forward,
        static={"eps": module.eps},
        probe=Probe(cases=norm_cases("weight"), native=own_forward),
    )


def _shape_problem(shape: tuple[int, ...], eps: float | None) -> str:
    if len(shape) != 1:
        return f"the contract normalises the last dimension, the module normalises {tuple(shape)}"
    if eps is None:
        return "eps must be given: with eps=None it depends on the dtype of each input"
    return "" if eps > 0 else f"eps must be positive, got {eps}"


def _group_norm(module: nn.GroupNorm) -> Fit:
    if module.eps <= 0:
        return rejected("norm.group@1", f"eps must be positive, got {module.eps}")
    return Fit(
        contracts=("norm.group@1",),
        forward=group_norm_forward,
        static={"eps": module.eps, "num_groups": module.num_groups},
        probe=Probe(cases=_group_cases, native=own_forward),
    )


def _group_cases(module: Any, dtype: torch.dtype) -> tuple[Case, ...]:
    given = {name: _detached(getattr(module, name)) for name in ("weight", "bias")}
    return (
        Case(
            tensors={"x": normal((2, module.num_channels, 7), dtype, device_of(module)), **given},
            static={"num_groups": module.num_groups, "eps": module.eps},
            differentiable=("x", *(name for name, value in given.items() if value is not None)),
        ),
    )


def _gelu(module: nn.GELU) -> Fit:
    return Fit(
        contracts=("activation.gelu@1",),
        forward=gelu_forward,
        features=(f"approximate:{module.approximate}",),
        static={"approximate": module.approximate},
        probe=Probe(cases=pointwise_cases(approximate=module.approximate), native=own_forward),
    )


def _silu(module: nn.SiLU) -> Fit:
    if module.inplace:
        return rejected("activation.silu@1", "inplace=True overwrites its input, operators do not")
    return Fit(
        contracts=("activation.silu@1",),
        forward=plain_forward,
        probe=Probe(cases=pointwise_cases(), native=own_forward),
    )


def _multihead_attention(module: nn.MultiheadAttention) -> Fit:
    return rejected(
        "attention.exact@1",
        "nn.MultiheadAttention may be asked for its attention weights and has a fused path of its "
        "own that never calls an operator; use a module that calls scaled_dot_product_attention",
    )


def _detached(weight: Tensor | None) -> Tensor | None:
    return None if weight is None else weight.detach()


_BY_FORWARD: dict[Any, Callable[[Any], Fit]] = {
    nn.LayerNorm.forward: _layer_norm,
    nn.RMSNorm.forward: _rms_norm,
    nn.GroupNorm.forward: _group_norm,
    nn.GELU.forward: _gelu,
    nn.SiLU.forward: _silu,
    nn.MultiheadAttention.forward: _multihead_attention,
}
