"""Lion and Muon of pytorch-optimizer.

Adapter of pytorch-optimizer (Apache-2.0), versions >=4.1,<5. Differs: Muon gets every parameter as
one to orthogonalise, because the contract gives it matrices only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pytorch_optimizer import Lion, Muon


def lion(params: Iterable[Any], **hyperparameters: Any) -> Lion:
    """Make `pytorch_optimizer.Lion`.

    Args:
        params: Parameters or groups.
        **hyperparameters: `lr`, `betas`, `weight_decay` (decoupled, multiplied by lr).
    """
    return Lion(params, **hyperparameters)


def muon(params: Iterable[Any], **hyperparameters: Any) -> Muon:
    """Make `pytorch_optimizer.Muon` that orthogonalises everything.

    Args:
        params: Parameters of two dimensions, or groups of them.
        **hyperparameters: `lr`, `momentum`, `nesterov`, `weight_decay` (decoupled).
    """
    given = list(params)
    groups = given if isinstance(given[0], dict) else [{"params": given}]
    return Muon([{**group, "use_muon": True} for group in groups], **hyperparameters)
