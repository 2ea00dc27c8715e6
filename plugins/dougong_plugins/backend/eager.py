"""Run a model as it is; what the other backends are compared with.

Paper: Paszke et al., "PyTorch: An Imperative Style, High-Performance Deep Learning Library", 2019,
arXiv:1912.01703.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def eager(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Callable[..., Any]:
    """Return a callable that runs the model for inference.

    Device: wherever the model's parameters are. Available: always. Falls back: never.

    Args:
        model: In evaluation mode already, or a ValueError is raised: switching it here would
            change the caller's model.
        example_inputs: Ignored; there is nothing to prepare.

    Returns:
        A callable with the model's arguments and result, without autograd.

    Raises:
        ValueError: the model is in training mode.
    """
    check_evaluation(model)

    @functools.wraps(model.forward)
    def run(*args: Any, **kwargs: Any) -> Any:
        with torch.no_grad():
            return model(*args, **kwargs)

    return run


def check_evaluation(model: nn.Module) -> None:
    """Refuse a model in training mode.

    Raises:
        ValueError: the model is in training mode.
    """
    if model.training:
        raise ValueError(
            f"a backend for inference needs {type(model).__name__} in evaluation mode; "
            "call model.eval() first"
        )
