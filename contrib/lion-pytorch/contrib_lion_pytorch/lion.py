"""Lion of lion-pytorch.

Adapter of lion-pytorch (MIT), versions >=0.2.5,<0.3. Differs: nothing; its Triton path stays off.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lion_pytorch import Lion


def lion(params: Iterable[Any], **hyperparameters: Any) -> Lion:
    """Make `lion_pytorch.Lion`.

    Args:
        params: Parameters or groups, as of any torch optimizer.
        **hyperparameters: `lr`, `betas`, `weight_decay` (decoupled, multiplied by lr).
    """
    return Lion(params, **hyperparameters)
