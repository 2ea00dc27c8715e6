"""A model prepared for inference, judged on models that were trained: `backend.inference@2`.

Called as in `backend.inference@1`. What is new: the models that are timed have learnt something
(`dougong.contracts.backend.trained`), and where such a model is clear about a class, the prepared
one must choose the same. Sizes nobody has seen, odd layouts and extreme values are still asked of
models with random weights.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator

import torch
from torch import Tensor

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.backend import models, trained
from dougong.contracts.backend.inference import BATCH, HEAD, bind, eager
from dougong.contracts.definition import Case, Contract, Law, Workload
from dougong.contracts.laws import tensor_of
from dougong.contracts.sampling import chooser

Outputs = tuple[Tensor, ...]
_BOTH = ("accuracy", "speed")
_CLEAR = 0.1
"""Least lead of the first class over the second, in standard deviations of the logits: several
times what rounding to bfloat16 moves."""

WORKLOADS = (
    trained.workload("text-mlp", 32, purpose=_BOTH),
    trained.workload("text-transformer", 1, 64, purpose=_BOTH),
    trained.workload("digits-conv", 4, purpose=_BOTH),
    trained.workload("text-mlp", 5),
    trained.workload("text-transformer", 2, 13),
    trained.workload("digits-conv", 3),
    *(work for work in models.WORKLOADS if "speed" not in work.purpose),
)


def generate(work: Workload, seed: int, dtype: torch.dtype) -> Case:
    """Draw the input of a workload, and the weights where they are not trained."""
    if "trained" in work.params:
        return trained.generate(work, seed, dtype)
    return models.generate(work, seed, dtype)


def hidden(seed: int) -> tuple[Workload, ...]:
    """Return the hidden workloads of a secret seed: other sizes, and other random weights."""
    random_ones = (work for work in models.hidden(seed) if "speed" not in work.purpose)
    return (*random_ones, *_unseen(chooser(seed, "trained")))


def _unseen(pick: random.Random) -> Iterator[Workload]:
    made = (
        trained.workload("digits-conv", pick.choice((5, 6, 7))),
        trained.workload("text-transformer", 1, pick.randint(33, 63), purpose=("speed",)),
    )
    for work in made:
        yield dataclasses.replace(work, name=f"hidden-{work.name}")


def _same(case: Case, seed: int) -> Case | None:
    return dataclasses.replace(case) if "trained" in case.static else None


@torch.no_grad()
def _decided(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    model = models.build(case).double()
    golden = model(tensor_of(case, "x").double()).flatten(0, -2)
    best = golden.topk(2, dim=-1).values
    clear = best[:, 0] - best[:, 1] > _CLEAR * golden.std()
    other = (found[0].double().flatten(0, -2).argmax(-1) != golden.argmax(-1)) & clear
    if not bool(other.any()):
        return None
    return (
        f"the class chosen must be the model's in all {int(clear.sum())} clear cases, "
        f"differs in {int(other.sum())}"
    )


DECISIONS = Law(
    name="decisions",
    summary="Where a trained model is clear which class is largest, the same one is chosen",
    variant=_same,
    violation=_decided,
)

CONTRACT = Contract(
    id="backend.inference@2",
    summary="A model prepared for inference on example inputs; trained models are timed",
    signature="f(model, example_inputs) -> callable",
    paper="doi:10.1145/3620665.3640366",
    reference=eager,
    baselines={
        "torch": "dougong.contracts.backend.inference:eager",
        "float32": "dougong.contracts.backend.inference:float32",
    },
    generate=generate,
    workloads=WORKLOADS,
    hidden=hidden,
    bind=bind,
    # Errors of many layers compound differently under another order of summation.
    tolerance=Tolerance(max_ratio=3.0, rms_ratio=2.0, cap_scale=models.cap_scale),
    gradient="none",
    laws=(BATCH, HEAD, DECISIONS),
    cost=models.cost,
    dtypes=("float32", "bfloat16"),
)
