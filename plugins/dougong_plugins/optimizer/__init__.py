"""Optimizers (contract `optimizer.step@1`, one variant a rule): metadata only."""

from __future__ import annotations

import dougong

_LICENSE = "Apache-2.0"
_ADAMW = "arXiv:1711.05101"
_PACKAGE = "dougong_plugins.optimizer"


def _optimizer(
    name: str, variant: str, target: str, reference: str, paper: str, summary: str
) -> dougong.Operator:
    return dougong.Operator(
        name=f"dougong/{name}",
        contract="optimizer.step@1",
        variant=variant,
        target=f"{_PACKAGE}.{target}",
        reference=f"{_PACKAGE}.{reference}",
        paper=paper,
        summary=summary,
        modes=("train",),
        compiles="none",
        license=_LICENSE,
    )


OPERATORS = [
    _optimizer(
        "adamw-loop",
        "adamw",
        "adamw:AdamWLoop",
        "adamw:AdamWLoop",
        _ADAMW,
        "AdamW as a plain loop over parameters, to read and to compare with.",
    ),
    _optimizer(
        "adamw-foreach",
        "adamw",
        "adamw:AdamWForeach",
        "adamw:AdamWLoop",
        _ADAMW,
        "torch's AdamW over lists of tensors.",
    ),
    _optimizer(
        "adamw-fused",
        "adamw",
        "adamw:AdamWFused",
        "adamw:AdamWLoop",
        _ADAMW,
        "torch's AdamW as one fused kernel a parameter.",
    ),
    _optimizer(
        "sgd-momentum",
        "sgd-momentum",
        "sgd_momentum:SGDMomentum",
        "sgd_momentum:SGDMomentum",
        "doi:10.1016/0041-5553(64)90137-5",
        "Gradient descent with heavy-ball or Nesterov momentum, fused.",
    ),
    _optimizer(
        "lion",
        "lion",
        "lion:Lion",
        "lion:Lion",
        "arXiv:2302.06675",
        "Sign of an interpolated momentum; one state tensor a parameter.",
    ),
    _optimizer(
        "muon",
        "muon",
        "muon:Muon",
        "muon:Muon",
        "https://kellerjordan.github.io/posts/muon/",
        "Momentum orthogonalised by Newton-Schulz; vectors by AdamW.",
    ),
    _optimizer(
        "adafactor",
        "adafactor",
        "adafactor:Adafactor",
        "adafactor:Adafactor",
        "arXiv:1804.04235",
        "Second moments factored into rows and columns: sublinear memory.",
    ),
]


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    """Return the first-party optimizers."""
    return OPERATORS
