"""32-bit optimizers and 8-bit linear layers of bitsandbytes.

Adapter of bitsandbytes (MIT), versions >=0.50.2,<0.51. Differs: only the 32-bit optimizers: the
8-bit ones keep a state that this contract's tolerance does not allow; the transform replaces each
`nn.Linear` by `Linear8bitLt` without outlier columns (threshold 0).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import bitsandbytes
from torch import Tensor, nn


def adamw(params: Iterable[Any], **hyperparameters: Any) -> bitsandbytes.optim.AdamW32bit:
    """Make `bitsandbytes.optim.AdamW32bit`.

    Args:
        params: Parameters or groups.
        **hyperparameters: `lr`, `betas`, `eps`, `weight_decay` (decoupled, multiplied by lr).
    """
    return bitsandbytes.optim.AdamW32bit(params, **hyperparameters)


def lion(params: Iterable[Any], **hyperparameters: Any) -> bitsandbytes.optim.Lion32bit:
    """Make `bitsandbytes.optim.Lion32bit`.

    Args:
        params: Parameters or groups.
        **hyperparameters: `lr`, `betas`, `weight_decay` (decoupled, multiplied by lr).
    """
    return bitsandbytes.optim.Lion32bit(params, **hyperparameters)


def int8(model: nn.Module, *, calibration: tuple[Tensor, ...] | None = None) -> nn.Module:
    """Return a copy of the model with every `nn.Linear` as `bitsandbytes.nn.Linear8bitLt`.

    Args:
        model: In evaluation mode. Never changed.
        calibration: Not used.
    """
    small = copy.deepcopy(model)
    for name, module in list(small.named_modules()):
        if type(module) is nn.Linear and name:
            parent, _, child = name.rpartition(".")
            setattr(small.get_submodule(parent), child, _linear(module))
    return small.eval()


def _linear(module: nn.Linear) -> nn.Module:
    made = bitsandbytes.nn.Linear8bitLt(
        module.in_features,
        module.out_features,
        bias=module.bias is not None,
        has_fp16_weights=False,
        threshold=0.0,
    )
    made.load_state_dict(module.state_dict())
    return made.to("cpu")  # what quantizes the weight
