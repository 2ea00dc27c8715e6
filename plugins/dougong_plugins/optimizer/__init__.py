"""Optimizers: metadata only.

Contract `optimizer.step@1` holds five rules to their formulas, one variant a rule;
`optimizer.train@1` judges any rule by what it trains, and its `variant` names the algorithm.
"""

from __future__ import annotations

from typing import Any

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


def _trained(
    algorithm: str, target: str, paper: str, summary: str, name: str = "", **rest: Any
) -> dougong.Operator:
    return dougong.Operator(
        name=f"dougong/{name or algorithm}",
        contract="optimizer.train@1",
        variant=algorithm,
        target=f"{_PACKAGE}.{target}",
        reference=f"{_PACKAGE}.{target}",
        paper=paper,
        summary=summary,
        modes=("train",),
        compiles="none",
        license=_LICENSE,
        **rest,
    )


OPERATORS += [
    _trained(
        "soap",
        "soap:SOAP",
        "arXiv:2409.11321",
        "Adam in the eigenbasis of Shampoo's second moments.",
    ),
    _trained(
        "shampoo",
        "shampoo:Shampoo",
        "arXiv:1802.09568",
        "Each dimension preconditioned by a root of its own second moment, grafted on Adam.",
    ),
    _trained(
        "schedule-free-adamw",
        "schedule_free:ScheduleFreeAdamW",
        "arXiv:2405.15682",
        "AdamW whose average is evaluated: no schedule to choose.",
    ),
    _trained(
        "sophia-g",
        "sophia:SophiaG",
        "arXiv:2305.14342",
        "Momentum over a diagonal curvature, clipped; squared gradients stand for the curvature.",
    ),
    _trained(
        "ademamix",
        "ademamix:AdEMAMix",
        "arXiv:2409.03137",
        "Adam with a second, slow average of the gradients.",
    ),
    _trained(
        "prodigy",
        "prodigy:Prodigy",
        "arXiv:2306.06101",
        "Adam that estimates its own learning rate from the distance travelled.",
    ),
    _trained(
        "adamw-8bit",
        "adamw_8bit:AdamW8bit",
        "arXiv:2110.02861",
        "AdamW with both moments quantized in blocks: two bytes of state an element.",
    ),
    _trained("adamw", "trained:adamw", _ADAMW, "AdamW, fused, as it trains.", name="train-adamw"),
    _trained(
        "sgd-momentum",
        "trained:sgd_momentum",
        "doi:10.1016/0041-5553(64)90137-5",
        "Gradient descent with Nesterov's momentum, as it trains.",
        name="train-sgd-momentum",
    ),
    _trained("lion", "trained:lion", "arXiv:2302.06675", "Lion, as it trains.", name="train-lion"),
    _trained(
        "muon",
        "trained:muon",
        "https://kellerjordan.github.io/posts/muon/",
        "Muon for matrices and AdamW for vectors, as they train.",
        name="train-muon",
    ),
    _trained(
        "adafactor",
        "trained:adafactor",
        "arXiv:1804.04235",
        "Adafactor, as it trains.",
        name="train-adafactor",
    ),
]


@dougong.hookimpl
def dougong_register_optimizer() -> list[dougong.Operator]:
    """Return the first-party optimizers."""
    return OPERATORS
