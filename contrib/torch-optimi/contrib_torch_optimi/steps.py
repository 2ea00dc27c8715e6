"""AdamW and Lion of torch-optimi.

Adapter of torch-optimi (MIT), versions >=0.3.3,<0.4. Differs: nothing; Kahan summation and Triton
stay at their defaults, which on float32 on a CPU are off.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import optimi


def adamw(params: Iterable[Any], **hyperparameters: Any) -> optimi.AdamW:
    """Make `optimi.AdamW`.

    Args:
        params: Parameters or groups.
        **hyperparameters: `lr`, `betas`, `eps`, `weight_decay` (multiplied by lr).
    """
    return optimi.AdamW(params, **hyperparameters)


def lion(params: Iterable[Any], **hyperparameters: Any) -> optimi.Lion:
    """Make `optimi.Lion`.

    Args:
        params: Parameters or groups.
        **hyperparameters: `lr`, `betas`, `weight_decay` (multiplied by lr).
    """
    return optimi.Lion(params, **hyperparameters)
