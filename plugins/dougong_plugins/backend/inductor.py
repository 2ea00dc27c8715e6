"""Compile a model by TorchInductor.

Paper: Ansel et al., "PyTorch 2: Faster Machine Learning Through Dynamic Python Bytecode
Transformation and Graph Compilation", 2024, doi:10.1145/3620665.3640366.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dougong_plugins.backend.eager import check_evaluation


def inductor(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Callable[..., Any]:
    """Return the model compiled for inference, warmed up on the example inputs.

    Device: CPU here, with a C++ compiler. Available: where `torch.compile` is. Falls back: where
    the model breaks the graph, the parts between are compiled and the break runs in Python. Other
    input shapes than the example's compile again on their first call, after that for all sizes.
    Weights stay the model's: changing them in place changes the result.

    Args:
        model: In evaluation mode.
        example_inputs: Positional inputs to compile for, shape and dtype as in use.

    Returns:
        A callable with the model's arguments and result, without autograd.

    Raises:
        ValueError: the model is in training mode.
    """
    check_evaluation(model)
    # Models of one class share their code, and torch.compile counts variants by code: without
    # isolation the ninth such model would run eagerly, and nothing would say so. For the same
    # reason a second model's sizes must not pass for new sizes of the first, which would compile
    # the example for all sizes at once and take up to 1.7 times as long over it.
    compiled = torch.compile(model, isolate_recompiles=True)  # type: ignore[call-overload]  # torch's overloads lack it

    def run(*args: Any, **kwargs: Any) -> Any:
        with torch.no_grad():
            return compiled(*args, **kwargs)

    with torch._dynamo.config.patch(automatic_dynamic_shapes=False):
        run(*example_inputs)
    return run
