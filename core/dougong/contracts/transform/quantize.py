"""A model turned into a cheaper one: `transform.quantize@1`, approximate.

The target is `f(model, *, calibration=None) -> new model`. It must leave its argument as it was:
the same modules, and weights equal to the bit. `calibration` is a tuple of example inputs.

Fidelity is ||new(x) - model(x)|| / ||model(x)|| in float64, at most 0.1 on every workload. Weights
are random, so that no redundancy hides a loss. Rounding to nearest was measured on the public
workloads, worst and best: 8-bit weights 0.023 and 0.003; 8-bit weights and activations (dynamic)
0.042 and 0.004; 4-bit weights in groups of 32 0.31 and 0.05; 3 bits 0.72 and 0.16. The bound gives
8 bits twice the room they need and refuses plain 4 bits: what those keep is a matter of a trained
model on a task, which is another contract.

A copy of the model (nothing quantized) passes accuracy, and then shows no speed-up: it is the
speed gate and the board that reject it. Zeros have relative L2 error 1 and are rejected here.

Paper: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", 2017, arXiv:1712.05877.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.backend import models
from dougong.contracts.definition import Bound, Case, Contract, Law
from dougong.contracts.laws import apart, tensor_of

Outputs = tuple[Tensor, ...]


def keep(model: nn.Module, *, calibration: tuple[Tensor, ...] | None = None) -> nn.Module:
    """Return an exact copy of the model: what a transform is compared with.

    Args:
        model: In evaluation mode.
        calibration: Example inputs; not used.

    Returns:
        A model of the same outputs that shares nothing with the argument.

    Example:
        >>> keep(nn.Identity())
        Identity()
    """
    return copy.deepcopy(model)


def bind(target: Any, case: Case) -> Bound:
    """Build the model of the case, transform it, and call the new one on x.

    With `static["with_original"]` the call returns the output of the model that was given, too, as
    it is after the transform.
    """
    model = models.build(case)
    new = target(model, calibration=models.example(case))
    both = bool(case.static.get("with_original", False))

    @torch.no_grad()
    def call(tensors: Mapping[str, Tensor | None]) -> Outputs:
        x = tensors["x"]
        return (new(x), model(x)) if both else (new(x),)

    return call


@torch.no_grad()
def _original(case: Case) -> Tensor:
    y: Tensor = models.build(case)(tensor_of(case, "x"))
    return y


def _with_original(case: Case, seed: int) -> Case | None:
    return dataclasses.replace(case, static={**case.static, "with_original": True})


def _untouched(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    # The law runs in another process, perhaps with other threads: equal up to the last bits.
    return apart(_original(changed), found[1], ulps=16, what="the given model after the transform")


def _same(case: Case, seed: int) -> Case | None:
    return dataclasses.replace(case)


def _agrees(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    golden = _original(case).double().flatten(0, -2)
    best = golden.topk(2, dim=-1).values
    clear = best[:, 0] - best[:, 1] > 0.5 * golden.std()
    if not bool(clear.any()):
        return None
    chosen = found[0].double().flatten(0, -2).argmax(-1)
    share = float((chosen == golden.argmax(-1))[clear].double().mean())
    if share >= 0.9:
        return None
    return f"the class chosen must agree on 0.9 of the clear cases, got {share:.3g}"


NON_MUTATION = Law(
    name="non-mutation",
    summary="The model that was given still computes what it did",
    variant=_with_original,
    violation=_untouched,
)
AGREEMENT = Law(
    name="agreement",
    summary="Where the model is clear which class is largest, the new one chooses the same",
    variant=_same,
    violation=_agrees,
)

CONTRACT = Contract(
    id="transform.quantize@1",
    summary="A model turned into a cheaper one of nearly the same outputs",
    signature="f(model, *, calibration=None) -> new model",
    equivalence="approximate",
    paper="arXiv:1712.05877",
    reference=keep,
    baselines={"torch": "dougong.contracts.transform.quantize:keep"},
    generate=models.generate,
    workloads=models.WORKLOADS,
    hidden=models.hidden,
    bind=bind,
    tolerance=Tolerance(max_relative_l2=0.1),
    gradient="none",
    laws=(NON_MUTATION, AGREEMENT),
    cost=models.cost,
    dtypes=("float32", "bfloat16"),
)
