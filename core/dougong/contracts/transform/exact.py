"""A model made faster with the same results: `transform.exact@1`.

The target is `f(model, *, calibration=None) -> new model`, as for `transform.quantize@1`, and must
leave its argument as it was. What the new model computes is held to the rule of exact operators in
the same dtype: prepacked weights, fused layers and other orders of summation pass, fewer bits do
not.

Paper: none; the transforms are those of graph compilers, as in Chen et al., "TVM", 2018,
arXiv:1802.04799, sec. 3 (operator fusion, data layout).
"""

from __future__ import annotations

import copy
import dataclasses

import torch
from torch import Tensor, nn

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.backend import inference, models
from dougong.contracts.definition import Contract
from dougong.contracts.transform.quantize import NON_MUTATION, bind, keep

_SPEED = (
    models.workload("mlp-wide", "mlp", (128, 512), 512, 3, purpose=("accuracy", "speed")),
    models.workload(
        "transformer-wide", "transformer", (1, 128, 256), 256, 2, purpose=("accuracy", "speed")
    ),
    models.workload("mlp-few-rows", "mlp", (4, 512), 512, 3, purpose=("accuracy", "speed")),
)


class _Wide(nn.Module):
    """A model run in float32, its output rounded to the dtype it was in."""

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.model, self.dtype = model, dtype

    def forward(self, x: Tensor) -> Tensor:
        """Return the model's output of x."""
        y: Tensor = self.model(x.float())
        return y.to(self.dtype)


def float32(model: nn.Module, *, calibration: tuple[Tensor, ...] | None = None) -> nn.Module:
    """Return a copy that computes in float32, for models of fewer bits.

    Args:
        model: In evaluation mode.
        calibration: Example inputs; not used.

    Returns:
        A model of the same outputs, rounded once.

    Example:
        >>> float32(nn.Identity())
        Identity()
    """
    made = copy.deepcopy(model)
    dtype = next((p.dtype for p in model.parameters()), torch.float32)
    return made if torch.finfo(dtype).bits >= 32 else _Wide(made.float(), dtype)


# Of the small models only right or wrong is asked: at their sizes the calls are what takes time.
WORKLOADS = (
    *_SPEED,
    *(
        dataclasses.replace(work, purpose=tuple(p for p in work.purpose if p != "speed"))
        for work in models.WORKLOADS
    ),
)

CONTRACT = Contract(
    id="transform.exact@1",
    summary="A model made faster with the same outputs",
    signature="f(model, *, calibration=None) -> new model",
    paper="arXiv:1802.04799",
    reference=keep,
    baselines={
        "torch": "dougong.contracts.transform.quantize:keep",
        "float32": "dougong.contracts.transform.exact:float32",
    },
    generate=models.generate,
    workloads=WORKLOADS,
    hidden=models.hidden,
    bind=bind,
    # As for a backend: errors of many layers compound differently under another order of summation.
    tolerance=Tolerance(max_ratio=3.0, rms_ratio=2.0, cap_scale=models.cap_scale),
    gradient="none",
    laws=(NON_MUTATION, inference.BATCH, inference.HEAD),
    cost=models.cost,
    dtypes=("float32", "bfloat16"),
)
