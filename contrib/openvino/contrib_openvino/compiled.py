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


def prepare(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Callable[..., Tensor]:
    """Convert a model of one output by `openvino.convert_model` and compile it for the CPU.

    Args:
        model: In evaluation mode, float32, on the CPU.
        example_inputs: Tensors of the shapes it will be called with.

    Returns:
        A callable of tensors of those shapes.
    """
    shapes = [tuple(x.shape) for x in example_inputs]
    converted = openvino.convert_model(model, example_input=example_inputs, input=shapes)
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "NUM_STREAMS": 1,
    }
    request = openvino.Core().compile_model(converted, "CPU", settings).create_infer_request()

    def run(*inputs: Tensor) -> Tensor:
        found = request.infer([x.contiguous().numpy() for x in inputs], share_inputs=True)
        # The request writes the next output into the same memory.
        return torch.from_numpy(found[0].copy())

    return run
