"""OpenVINO as an inference backend.

Adapter of openvino (Apache-2.0), versions >=2026.4,<2027. Differs: float32 precision is asked for
(by default OpenVINO computes in fewer bits where the processor can), one stream, as many threads as
torch.
"""

from __future__ import annotations

from collections.abc import Callable

import openvino
import torch
from torch import Tensor, nn


def converted(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> openvino.Model:
    """Convert a model by `openvino.convert_model`; `openvino.save_model` writes it to a file.

    Args:
        model: In evaluation mode, float32, on the CPU.
        example_inputs: Tensors of the shapes it will be called with.
    """
    shapes = [tuple(x.shape) for x in example_inputs]
    return openvino.convert_model(model, example_input=example_inputs, input=shapes)


def load(model: openvino.Model) -> Callable[..., Tensor]:
    """Compile a converted model of one output for the CPU and return what runs it."""
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
    }
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()

    def run(*inputs: Tensor) -> Tensor:
        found = request.infer([x.contiguous().numpy() for x in inputs], share_inputs=True)
        # The request writes the next output into the same memory.
        return torch.from_numpy(found[0].copy())

    return run


def prepare(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Callable[..., Tensor]:
    """Convert a model of one output and compile it for the CPU.

    Args:
        model: In evaluation mode, float32, on the CPU.
        example_inputs: Tensors of the shapes it will be called with.

    Returns:
        A callable of tensors of those shapes.
    """
    return load(converted(model, example_inputs))
