"""ONNX Runtime as an inference backend.

Adapter of onnxruntime (MIT), versions >=1.32,<2. Differs: exported by torch.onnx (which needs onnx
and onnxscript), run by the CPU provider with as many threads as torch.
"""

from __future__ import annotations

from collections.abc import Callable

import onnxruntime
import torch
from torch import Tensor, nn


def exported(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> bytes:
    """Export a model by `torch.onnx.export`, weights included: what an `.onnx` file holds.

    Args:
        model: In evaluation mode, float32, on the CPU.
        example_inputs: Tensors of the shapes it will be called with.
    """
    program = torch.onnx.export(model, example_inputs, dynamo=True, verbose=False)
    return bytes(program.model_proto.SerializeToString())


def load(proto: bytes) -> Callable[..., Tensor]:
    """Open a session on a model of one output and return what runs it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(proto, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def run(*inputs: Tensor) -> Tensor:
        given = {n: x.contiguous().numpy() for n, x in zip(names, inputs, strict=True)}
        return torch.from_numpy(session.run(None, given)[0])

    return run


def prepare(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Callable[..., Tensor]:
    """Export a model of one output and open an ONNX Runtime session.

    Args:
        model: In evaluation mode, float32, on the CPU.
        example_inputs: Tensors of the shapes it will be called with.

    Returns:
        A callable of tensors of those shapes.
    """
    return load(exported(model, example_inputs))
