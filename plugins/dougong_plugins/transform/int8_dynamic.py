"""Linear layers in int8, activations quantized as they come.

Paper: Dettmers et al., "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale", 2022,
arXiv:2208.07339, sec. 2 (vector-wise quantization); without its outlier columns.
Implementation: torchao, `Int8DynamicActivationInt8WeightConfig`.
"""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Int8Linear(nn.Module):
    """A linear layer whose weights and inputs are rounded to int8; the definition.

    Weights are rounded per output channel, inputs per token (last dimension), both symmetrically:
    int8 = round(x / s) with s = max|x| / 127.5.
    """

    weight: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.register_buffer("weight", _rounded(linear.weight.detach()))
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(_rounded(x), self.weight, self.bias)


def _rounded(x: Tensor) -> Tensor:
    step = (x.float().abs().amax(-1, keepdim=True) / 127.5).clamp(
        min=torch.finfo(torch.float32).eps
    )
    return ((x.float() / step).round().clamp(-128, 127) * step).to(x.dtype)


def int8_dynamic_reference(model: nn.Module, *, calibration: Any = None) -> nn.Module:
    """`int8_dynamic` simulated in floating point: what the integers mean, at no gain in speed."""
    small = copy.deepcopy(model)
    for name, module in list(small.named_modules()):
        if type(module) is nn.Linear and name:
            parent, _, child = name.rpartition(".")
            setattr(small.get_submodule(parent), child, Int8Linear(module))
    return Int8Linear(small) if type(small) is nn.Linear else small


def int8_dynamic(model: nn.Module, *, calibration: Any = None) -> nn.Module:
    """Return a copy of the model with every `nn.Linear` computing in int8.

    Weights take a quarter of the memory of float32. Inputs of each layer are quantized per token in
    each call. On a CPU the eager kernels of torchao 0.18 are slower than float32, 20 times for
    (64, 512) x (512, 2048) on the machine this was written on: compile the result, or use it for
    its size.

    Args:
        model: In evaluation mode; float32 or bfloat16. Never changed.
        calibration: Ignored; dynamic quantization needs none.

    Returns:
        A deep copy for inference, other modules untouched. Its quantized weights are torchao
        tensors: `state_dict` holds them, and loading needs torchao.

    Raises:
        ValueError: the model has no `nn.Linear`.
        ImportError: torchao is not installed.
    """
    if not any(isinstance(module, nn.Linear) for module in model.modules()):
        raise ValueError(f"{type(model).__name__} has no nn.Linear to quantize")
    with _quiet():
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

        small = copy.deepcopy(model)
        quantize_(small, Int8DynamicActivationInt8WeightConfig())
    return small


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drop what torchao logs on every CPU-only machine, and nothing else."""
    usual = ("Failed to load ", "Warning: Detected no triton", "<enum 'KernelPreference'>")

    def unusual(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(usual)

    loggers = [
        logging.getLogger(name)
        for name in ("torchao", "torchao.kernel.intmm", "torch.utils._pytree")
    ]
    for logger in loggers:
        logger.addFilter(unusual)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(unusual)
