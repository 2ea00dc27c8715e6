"""8-bit weights by optimum-quanto.

Adapter of optimum-quanto (Apache-2.0), versions >=0.2.7,<0.3. Differs: weights only, frozen at
once, on a copy of the model.
"""

from __future__ import annotations

import copy

from optimum.quanto import freeze, qint8, quantize
from torch import Tensor, nn


def int8(model: nn.Module, *, calibration: tuple[Tensor, ...] | None = None) -> nn.Module:
    """Return a copy of the model with the weights quantized by `optimum.quanto.quantize`.

    Args:
        model: In evaluation mode. Never changed.
        calibration: Not used: activations stay as they are.
    """
    small = copy.deepcopy(model)
    quantize(small, weights=qint8)
    freeze(small)
    return small
