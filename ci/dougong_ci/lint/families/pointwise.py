"""Mistakes in norms and activations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dougong.contracts.definition import Contract
from dougong_ci.lint.families.targets import mutant
from dougong_ci.lint.mutants import SHARE, Mutant


def mutants(contract: Contract, variant: str) -> Iterator[Mutant]:
    """Make the mutants of a norm or an activation."""
    for name, summary, target in _BY_KIND.get(contract.id.partition("@")[0], ()):
        yield mutant(name, summary, target)


def _affine(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _rms_eps_outside(x: Tensor, weight: Tensor | None = None, *, eps: float) -> Tensor:
    return _affine(x / (x.square().mean(-1, keepdim=True).sqrt() + eps), weight, None)


def _rms_without_weight(x: Tensor, weight: Tensor | None = None, *, eps: float) -> Tensor:
    return functional.rms_norm(x, x.shape[-1:], None, eps)


def _rms_centred(x: Tensor, weight: Tensor | None = None, *, eps: float) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], weight, None, eps)


def _rms_short(x: Tensor, weight: Tensor | None = None, *, eps: float) -> Tensor:
    most = max(1, x.shape[-1] - max(1, round(SHARE * x.shape[-1])))
    return _affine(
        x * torch.rsqrt(x[..., :most].square().mean(-1, keepdim=True) + eps), weight, None
    )


def _layer(centre: Any, variance: Any) -> Any:
    def target(
        x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, eps: float
    ) -> Tensor:
        mean = centre(x)
        return _affine((x - mean) * torch.rsqrt(variance(x, mean) + eps), weight, bias)

    return target


def _mean(x: Tensor) -> Tensor:
    return x.mean(-1, keepdim=True)


def _biased(x: Tensor, mean: Tensor) -> Tensor:
    return (x - mean).square().mean(-1, keepdim=True)


def _unbiased(x: Tensor, mean: Tensor) -> Tensor:
    return _biased(x, mean) * (x.shape[-1] / max(1, x.shape[-1] - 1))


def _one_pass(x: Tensor, mean: Tensor) -> Tensor:
    return (x.square().mean(-1, keepdim=True) - mean.square()).clamp_min(0.0)


def _short_mean(x: Tensor) -> Tensor:
    most = max(1, x.shape[-1] - max(1, round(SHARE * x.shape[-1])))
    return x[..., :most].mean(-1, keepdim=True)


def _group(layer: Any, one: bool = False) -> Any:
    def target(
        x: Tensor,
        num_groups: int,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        *,
        eps: float,
    ) -> Tensor:
        groups = 1 if one else num_groups
        width = math.prod(x.shape[1:]) // groups
        y = layer(x.reshape(len(x), groups, width), eps=eps).reshape(x.shape)
        per_channel = (-1, *(1,) * (x.ndim - 2))
        shaped = [None if t is None else t.reshape(per_channel) for t in (weight, bias)]
        return _affine(y, *shaped)

    return target


_LAYERS = (
    ("unbiased-variance", "divides the variance by n - 1", _layer(_mean, _unbiased)),
    ("one-pass-variance", "takes the variance as E[x^2] - E[x]^2", _layer(_mean, _one_pass)),
    ("not-centred", "does not subtract the mean", _layer(lambda x: 0 * _mean(x), _biased)),
    ("short-mean", "takes the mean over 95 % of a row", _layer(_short_mean, _biased)),
)


def _after_sum(norm: Any, *, of: Any = torch.add, kept: Any = torch.add) -> Any:
    """Return a norm of `of(x, residual)` that hands on `kept(x, residual)`."""

    def target(x: Tensor, residual: Tensor, *affine: Tensor | None, eps: float) -> Any:
        return norm(of(x, residual), *affine, eps=eps), kept(x, residual)

    return target


def _first(x: Tensor, residual: Tensor) -> Tensor:
    return x.clone()


def _right_rms(x: Tensor, weight: Tensor | None = None, *, eps: float) -> Tensor:
    return functional.rms_norm(x, x.shape[-1:], weight, eps)


def _after_sums(right: Any, wrong: tuple[tuple[str, str, Any], ...]) -> Any:
    return (
        *((name, summary, _after_sum(norm)) for name, summary, norm in wrong),
        ("residual-forgotten", "takes the norm of x alone", _after_sum(right, of=_first)),
        ("sum-not-kept", "hands on x in place of the sum", _after_sum(right, kept=_first)),
        ("difference", "subtracts the residual", _after_sum(right, of=torch.sub)),
    )


def _erf(x: Tensor, *, approximate: str = "none") -> Tensor:
    return functional.gelu(x)


def _tanh(x: Tensor, *, approximate: str = "none") -> Tensor:
    return functional.gelu(x, approximate="tanh")


def _by_sigmoid(x: Tensor, *, approximate: str = "none") -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def _clipped(x: Tensor, *, approximate: str = "none") -> Tensor:
    return torch.where(x.abs() > 4, x.clamp_min(0), functional.gelu(x, approximate=approximate))


def _exponential(x: Tensor) -> Tensor:
    return x * x.exp() / (1 + x.exp())


def _flushed(function: Any) -> Any:
    """Return the function with subnormal numbers taken for zero, before and after."""

    def flush(value: Tensor) -> Tensor:
        least = torch.finfo(value.dtype).smallest_normal
        return torch.where(value.abs() < least, torch.zeros_like(value), value)

    def target(*args: Tensor, **keywords: Any) -> Tensor:
        return flush(function(*map(flush, args), **keywords))

    return target


def _swiglu(gate: Tensor, up: Tensor) -> Tensor:
    return functional.silu(gate) * up


_RMS = (
    ("eps-outside", "adds eps outside the root", _rms_eps_outside),
    ("without-weight", "ignores its weight", _rms_without_weight),
    ("centred", "subtracts the mean", _rms_centred),
    ("short-square", "takes the mean square over 95 % of a row", _rms_short),
)

_BY_KIND: dict[str, tuple[tuple[str, str, Any], ...]] = {
    "norm.rms": _RMS,
    "norm.layer": _LAYERS,
    "norm.add_rms": _after_sums(_right_rms, _RMS),
    "norm.add_layer": _after_sums(_layer(_mean, _biased), _LAYERS),
    "norm.group": (
        *((name, summary, _group(layer)) for name, summary, layer in _LAYERS),
        ("as-layer", "takes all channels for one group", _group(_layer(_mean, _biased), one=True)),
    ),
    "activation.gelu": (
        ("erf-for-tanh", "computes the exact function when asked for tanh", _erf),
        ("tanh-for-erf", "computes the tanh approximation when asked for the exact one", _tanh),
        ("by-sigmoid", "approximates by a sigmoid", _by_sigmoid),
        ("clipped", "takes the tails for their asymptotes from 4 on", _clipped),
        ("flushed", "flushes subnormal numbers to zero", _flushed(functional.gelu)),
    ),
    "activation.silu": (
        ("hard", "is the hard swish", functional.hardswish),
        ("naive", "overflows in exp(x) / (1 + exp(x))", _exponential),
        ("flushed", "flushes subnormal numbers to zero", _flushed(functional.silu)),
    ),
    "activation.squared_relu": (
        ("of-absolute", "squares negative values too", torch.square),
        ("not-squared", "forgets to square", torch.relu),
    ),
    "activation.swiglu": (
        ("exchanged", "exchanges gate and up", lambda gate, up: _swiglu(up, gate)),
        ("naive", "overflows in exp(x) / (1 + exp(x))", lambda g, u: _exponential(g) * u),
        ("flushed", "flushes subnormal numbers to zero", _flushed(_swiglu)),
    ),
}
