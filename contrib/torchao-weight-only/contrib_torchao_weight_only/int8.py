"""8-bit weights by torchao.

Adapter of torchao (BSD-3-Clause), versions >=0.18,<0.19. Differs: weights only, on a copy of the
model; the first-party `dougong/int8-dynamic` also quantizes activations.
"""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torchao.quantization import Int8WeightOnlyConfig, quantize_


def int8(model: nn.Module, *, calibration: tuple[Tensor, ...] | None = None) -> nn.Module:
    """Return a copy of the model with the weights quantized by `torchao.quantization.quantize_`.

    Args:
        model: In evaluation mode. Never changed.
        calibration: Not used.
    """
    small = copy.deepcopy(model)
    quantize_(small, Int8WeightOnlyConfig())
    return small
