"""Operators that are not part of a model: optimizers, backends, and transforms of whole models."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dougong.catalogue import Catalogue, Entry
from dougong.errors import DougongError, PlanError


def optimizer(
    name: str,
    params: Iterable[Any],
    *,
    catalogue: Catalogue | None = None,
    **settings: Any,
) -> torch.optim.Optimizer:
    """Make an optimizer by the name of its operator.

    Args:
        name: `dougong/muon`.
        params: Tensors, (name, tensor) pairs or parameter groups, as `torch.optim` takes them.
        catalogue: Where it is looked up; by default everything installed.
        **settings: Passed on (`lr=2e-2`). See the operator for their units.

    Raises:
        CatalogueError: no such operator, or its plugin is broken.
        PlanError: it is no optimizer, cannot be used here, or does not take a setting.
    """
    given = list(params)
    tensor = _first_tensor(given)
    entry, make = _load(name, "optimizer", catalogue, tensor)
    _check_settings(entry, make, settings)
    made = make(given, **settings)
    if not isinstance(made, torch.optim.Optimizer):
        raise PlanError(f"{name} must make a torch.optim.Optimizer, made a {type(made).__name__}")
    return made


def compile(
    model: nn.Module,
    *,
    backend: str,
    example_inputs: Tensor | Sequence[Any],
    catalogue: Catalogue | None = None,
) -> Callable[..., Any]:
    """Prepare a model for inference on an execution backend; the model itself is not changed.

    Args:
        model: In eval mode.
        backend: `dougong/inductor`.
        example_inputs: Positional inputs of one call, with the dtypes and shapes to prepare for.
        catalogue: Where it is looked up; by default everything installed.

    Returns:
        A callable that takes the same positional inputs.

    Raises:
        CatalogueError: no such operator, or its plugin is broken.
        PlanError: it is no backend, cannot be used here, or the model is in training mode.
    """
    if model.training:
        raise PlanError("a backend prepares inference: call model.eval() first")
    inputs = (example_inputs,) if isinstance(example_inputs, Tensor) else tuple(example_inputs)
    if wrong := next((each for each in inputs if not isinstance(each, Tensor)), None):
        raise PlanError(f"example_inputs must be tensors, got a {type(wrong).__name__}")
    _, make = _load(backend, "backend", catalogue, _first_tensor([*model.parameters(), *inputs]))
    made = make(model, inputs)
    if not callable(made):
        raise PlanError(f"{backend} must return a callable, returned a {type(made).__name__}")
    prepared: Callable[..., Any] = made
    return prepared


def transform(
    model: nn.Module, name: str, *, catalogue: Catalogue | None = None, **settings: Any
) -> nn.Module:
    """Return a transformed copy of a model: quantized, pruned, fused. The model is not changed.

    Args:
        model: Any module tree.
        name: `dougong/int8-dynamic`.
        catalogue: Where it is looked up; by default everything installed.
        **settings: Passed on (`calibration=...`).

    Raises:
        CatalogueError: no such operator, or its plugin is broken.
        PlanError: it is no transform, cannot be used here, does not take a setting, or gave back
            the model itself.
    """
    entry, make = _load(name, "transform", catalogue, _first_tensor(model.parameters()))
    _check_settings(entry, make, settings)
    made = make(model, **settings)
    if made is model or not isinstance(made, nn.Module):
        found = "its argument" if made is model else f"a {type(made).__name__}"
        raise PlanError(f"{name} must return a new nn.Module, returned {found}")
    return made


def _load(
    name: str, family: str, catalogue: Catalogue | None, tensor: Tensor | None
) -> tuple[Entry, Callable[..., Any]]:
    entry = (catalogue if catalogue is not None else Catalogue.discover()).get(name)
    if entry.operator.family != family:
        raise PlanError(f"{name} implements {entry.operator.contract}, which is no {family}")
    device = str(tensor.device) if tensor is not None else None
    dtype = str(tensor.dtype).removeprefix("torch.") if tensor is not None else None
    if reason := entry.unavailable(device=device, dtype=dtype):
        raise PlanError(f"{name}: {reason}")
    try:
        loaded = entry.operator.load()
    except DougongError:
        raise
    # An implementation may raise anything while it is imported.
    except Exception as error:
        raise PlanError(
            f"{name}: {entry.operator.target} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not callable(loaded):
        raise PlanError(f"{name}: {entry.operator.target} must be callable")
    target: Callable[..., Any] = loaded
    return entry, target


def _check_settings(entry: Entry, make: Callable[..., Any], settings: dict[str, Any]) -> None:
    accepted = inspect.signature(make).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values()):
        return
    names = [name for name, p in accepted.items() if p.kind is not inspect.Parameter.VAR_POSITIONAL]
    if unknown := sorted(set(settings) - set(names[1:])):
        raise PlanError(
            f"{entry.name} takes {', '.join(names[1:]) or 'no settings'}, got {', '.join(unknown)}"
        )


def _first_tensor(values: Iterable[Any]) -> Tensor | None:
    """Return the first floating-point tensor among tensors, named tensors and groups."""
    for value in values:
        inner = list(value["params"]) if isinstance(value, dict) else [value]
        for each in inner:
            tensor = each[1] if isinstance(each, tuple) else each
            if isinstance(tensor, Tensor) and tensor.is_floating_point():
                return tensor
    return None
