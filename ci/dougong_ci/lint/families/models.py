"""Mistakes of backends and transforms: the whole small models they prepare, prepared wrongly."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dougong.contracts.backend import models
from dougong.contracts.definition import Bound, Case, Contract
from dougong_ci.lint.families.targets import mutant
from dougong_ci.lint.mutants import Mutant, right

Edit = Callable[[nn.Module], nn.Module]


def mutants(contract: Contract, variant: str) -> Iterator[Mutant]:
    """Make the mutants of a whole-model contract."""
    approximate = contract.equivalence == "approximate"
    edits: list[tuple[str, str, Edit]] = [
        ("layer-skipped", "leaves out one layer in the middle", _without_layer),
        ("head-bias-dropped", "drops the bias of the head", _without_head_bias),
        ("one-row-of-weights", "zeros the last 5 % of the rows of every weight", _without_rows),
    ]
    for name, summary, edit in edits:
        yield mutant(name, summary, _target(contract, edit))
    yield Mutant(
        name="other-weights", summary="runs the weights of another seed", bind=_other_weights
    )
    yield Mutant(name="replayed", summary="returns its first output for ever", bind=_replayed)
    fine: list[tuple[str, str, Edit]] = [
        ("norm-eps-x10", "takes ten times the eps of every norm", _norm_eps),
        ("weights-int8-per-tensor", "rounds weights to 8 bits, one scale a tensor", _int8),
    ]
    for name, summary, edit in fine:
        yield mutant(name, summary, _target(contract, edit), may_be_admitted=approximate)
    yield mutant(
        "weights-int4", "rounds weights to 4 bits in groups of 32", _target(contract, _int4)
    )
    yield Mutant(
        name="off-by-one-mask-future",
        summary="sees one token too many under the causal mask",
        bind=_seeing_next,
        may_be_admitted=approximate,
    )
    if contract.family == "transform":
        yield mutant("given-model-changed", "changes the model it was given", _in_place)


def _target(contract: Contract, edit: Edit) -> Any:
    """Return an operator of the contract that runs an edited copy of the model."""

    def made(model: nn.Module, *_: Any, **__: Any) -> Any:
        changed = edit(copy.deepcopy(model))
        return changed if contract.family == "transform" else torch.no_grad()(changed)

    return made


class _Skipped(nn.Module):
    """A block that hands on what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x."""
        return x


def _without_layer(model: nn.Module) -> nn.Module:
    for name, child in model.named_children():
        keeps_shape = isinstance(child, models.Block) or (
            isinstance(child, nn.Linear) and child.in_features == child.out_features
        )
        if keeps_shape or isinstance(child, nn.GroupNorm):
            setattr(model, name, _Skipped())
            return model
    raise ValueError(f"{type(model).__name__} has no layer that keeps its shape")


def _head(model: nn.Module) -> nn.Linear:
    return [m for m in model.modules() if isinstance(m, nn.Linear)][-1]


@torch.no_grad()
def _without_head_bias(model: nn.Module) -> nn.Module:
    _head(model).bias.zero_()
    return model


@torch.no_grad()
def _each_weight(model: nn.Module, change: Callable[[Tensor], Tensor]) -> nn.Module:
    for weight in model.parameters():
        if weight.ndim > 1:
            weight.copy_(change(weight))
    return model


def _without_rows(model: nn.Module) -> nn.Module:
    def change(weight: Tensor) -> Tensor:
        rows = weight.clone()
        rows[-max(1, len(rows) // 20) :] = 0
        return rows

    return _each_weight(model, change)


def _norm_eps(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.LayerNorm | nn.GroupNorm):
            module.eps *= 10
    return model


def _int8(model: nn.Module) -> nn.Module:
    def change(weight: Tensor) -> Tensor:
        step = weight.abs().max() / 127
        return (weight / step).round() * step

    return _each_weight(model, change)


def _int4(model: nn.Module) -> nn.Module:
    def change(weight: Tensor) -> Tensor:
        flat = weight.flatten()
        padded = torch.nn.functional.pad(flat, (0, -len(flat) % 32)).reshape(-1, 32)
        step = padded.abs().amax(-1, keepdim=True).clamp_min(1e-9) / 7
        return ((padded / step).round() * step).flatten()[: len(flat)].reshape(weight.shape)

    return _each_weight(model, change)


def _in_place(model: nn.Module, **_: Any) -> nn.Module:
    unchanged = copy.deepcopy(model)
    _int8(model)
    return unchanged


def _other_weights(contract: Contract, case: Case) -> Bound:
    setup = {name: weight.flip(0) for name, weight in case.setup.items()}
    return right(contract, dataclasses.replace(case, setup=setup))


def _replayed(contract: Contract, case: Case) -> Bound:
    bound = right(contract, case)
    kept: list[tuple[Tensor, ...]] = []

    def call(tensors: Any) -> tuple[Tensor, ...]:
        if not kept:
            kept.append(bound(tensors))
        return kept[0]

    return call


class _Shifted(TorchFunctionMode):
    """Attention whose causal mask is one token too wide."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Replace the causal flag of attention by a mask, and leave the rest alone."""
        kwargs = dict(kwargs or {})
        if func is nn.functional.scaled_dot_product_attention and kwargs.pop("is_causal", False):
            T, S = args[0].shape[-2], args[1].shape[-2]
            kwargs["attn_mask"] = torch.ones(T, S, dtype=torch.bool).tril(S - T + 1)
        return func(*args, **kwargs)


def _seeing_next(contract: Contract, case: Case) -> Bound:
    bound = right(contract, case)

    def call(tensors: Any) -> tuple[Tensor, ...]:
        with _Shifted():
            return bound(tensors)

    return call
