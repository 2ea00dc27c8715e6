"""Adapters: one module each for torch.nn, RMS norms, gated MLPs, activations and attention.

A module no adapter knows is left alone. One that is of a kind by its name but cannot be served is
reported with the reason, so that nothing is skipped in silence.
"""

from __future__ import annotations

from torch import nn

from dougong.swap.adapters import attention, gated_mlp, rms, torch_nn, transformers_activations
from dougong.swap.adapters.fit import Fit, rejected

_ADAPTERS = (
    torch_nn.fit,
    attention.fit,
    rms.fit,
    gated_mlp.fit,
    transformers_activations.fit,
)
_BY_SUFFIX = {
    "LayerNorm": "norm.layer@1",
    "GroupNorm": "norm.group@1",
    "Attention": "attention.exact@1",
}


def fit(module: nn.Module) -> Fit | None:
    """Return how a module meets a contract, by the first adapter that knows it."""
    for adapter in _ADAPTERS:
        if found := adapter(module):
            return found
    name = type(module).__name__
    for suffix, contract in _BY_SUFFIX.items():
        if name.endswith(suffix):
            return rejected(contract, f"no adapter knows the class {name}")
    return None
