"""A model prepared for inference: `backend.inference@1`.

The target is `f(model, example_inputs) -> callable`: given a model in evaluation mode and a tuple
of example tensors it returns what is called instead of the model. It may compile, export or
convert; preparation is outside the clock. It must accept the shapes of the example inputs, and need
not accept others.

Paper: Ansel et al., "PyTorch 2", 2024, doi:10.1145/3620665.3640366 (what a backend is to PyTorch).
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.backend import models
from dougong.contracts.definition import Bound, Case, Contract, Law
from dougong.contracts.laws import apart, edited, tensor_of


def eager(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Callable[..., Any]:
    """Return the model as it is, called without autograd.

    Args:
        model: In evaluation mode, any device and dtype.
        example_inputs: Tensors as the model will be given; not used.

    Returns:
        A callable of the model's inputs that returns the model's output.

    Example:
        >>> eager(nn.Identity().eval(), (torch.zeros(2),))(torch.ones(2))
        tensor([1., 1.])
    """
    return torch.no_grad()(model)


def float32(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Callable[..., Any]:
    """Run a copy of the model in float32 and round the output, for models of fewer bits."""
    dtype = example_inputs[0].dtype
    if torch.finfo(dtype).bits >= 32:
        return eager(model, example_inputs)

    wide = copy.deepcopy(model).float()

    @torch.no_grad()
    def run(x: Tensor) -> Tensor:
        y: Tensor = wide(x.float())
        return y.to(dtype)

    return run


def bind(target: Any, case: Case) -> Bound:
    """Build the model of the case, prepare it by the target, and call it on x."""
    run = target(models.build(case), models.example(case))

    def call(tensors: Mapping[str, Tensor | None]) -> tuple[Tensor, ...]:
        return (run(tensors["x"]),)

    return call


def _others(case: Case, seed: int) -> Case | None:
    x = tensor_of(case, "x").clone()
    if len(x) < 2:
        return None
    x[1:] = -x[1:]
    return edited(case, x=x)


def _first_kept(
    case: Case, outputs: tuple[Tensor, ...], changed: Case, found: tuple[Tensor, ...]
) -> str | None:
    return apart(outputs[0][0], found[0][0], ulps=16, what="sample 0 when the others change")


def _halved(case: Case, seed: int) -> Case | None:
    # The head is linear: half its weights give half the output, unless weights were cached.
    setup = dict(case.setup)
    for name in list(setup)[-2:]:
        setup[name] = setup[name] / 2
    return dataclasses.replace(case, setup=setup)


def _half(
    case: Case, outputs: tuple[Tensor, ...], changed: Case, found: tuple[Tensor, ...]
) -> str | None:
    return apart(outputs[0], 2 * found[0], ulps=16, what="f(model) and 2 f(model with half a head)")


BATCH = Law(
    name="batch",
    summary="A sample does not depend on the others in its batch",
    variant=_others,
    violation=_first_kept,
)
HEAD = Law(
    name="head",
    summary="Half the weights of the linear head give half the output",
    variant=_halved,
    violation=_half,
)

CONTRACT = Contract(
    id="backend.inference@1",
    summary="A model prepared for inference on example inputs",
    signature="f(model, example_inputs) -> callable",
    paper="doi:10.1145/3620665.3640366",
    reference=eager,
    baselines={
        "torch": "dougong.contracts.backend.inference:eager",
        "float32": "dougong.contracts.backend.inference:float32",
    },
    generate=models.generate,
    workloads=models.WORKLOADS,
    hidden=models.hidden,
    bind=bind,
    # Errors of many layers compound differently under another order of summation.
    tolerance=Tolerance(max_ratio=3.0, rms_ratio=2.0, cap_scale=models.cap_scale),
    gradient="none",
    laws=(BATCH, HEAD),
    cost=models.cost,
    dtypes=("float32", "bfloat16"),
)
