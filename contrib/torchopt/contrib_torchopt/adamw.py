"""AdamW of torchopt.

Adapter of torchopt (Apache-2.0), versions >=0.7.3,<0.8. Differs: nothing; the differentiable mode
it is made for stays off.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torchopt


def adamw(params: Iterable[Any], *, lr: float, **hyperparameters: Any) -> torchopt.AdamW:
    """Make `torchopt.AdamW`.

    Args:
        params: Parameters.
        lr: Step size.
        **hyperparameters: `betas`, `eps`, `weight_decay` (decoupled, multiplied by lr).
    """
    return torchopt.AdamW(params, lr, **hyperparameters)
