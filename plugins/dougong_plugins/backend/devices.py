"""A model on an accelerator: CUDA and ROCm by TorchInductor, Ascend by torch_npu.

Papers: Ansel et al., "PyTorch 2", 2024, doi:10.1145/3620665.3640366 (inductor); Liao et al.,
"Ascend: a Scalable and Unified Architecture for Ubiquitous Deep Neural Network Computing", 2021,
doi:10.1109/HPCA51647.2021.00071 (the NPU).

A backend does not move a model: it runs where its weights are, and refuses one that is elsewhere.
Written for hardware that was not there; the same contract judges them where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dougong_plugins.backend.eager import eager
from dougong_plugins.backend.inductor import inductor


def cuda(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Callable[..., Any]:
    """Return the model compiled by inductor for an NVIDIA GPU.

    Device: cuda, with a CUDA build of torch and triton. Falls back: as `inductor` does.

    Args:
        model: In evaluation mode, on the GPU.
        example_inputs: Positional inputs to compile for, on the GPU.

    Returns:
        A callable with the model's arguments and result, without autograd.

    Raises:
        ValueError: the model is elsewhere, in training mode, or torch was built for ROCm.
    """
    _check_place(model, example_inputs, "cuda")
    if torch.version.hip is not None:
        raise ValueError(
            f"this torch is built for ROCm {torch.version.hip}; use the backend dougong/rocm"
        )
    return inductor(model, example_inputs)


def rocm(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Callable[..., Any]:
    """Return the model compiled by inductor for an AMD GPU; torch calls these cuda devices too.

    Device: cuda, with a ROCm build of torch. Falls back: as `inductor` does.

    Args:
        model: In evaluation mode, on the GPU.
        example_inputs: Positional inputs to compile for, on the GPU.

    Returns:
        A callable with the model's arguments and result, without autograd.

    Raises:
        ValueError: the model is elsewhere, in training mode, or torch was not built for ROCm.
    """
    _check_place(model, example_inputs, "cuda")
    if torch.version.hip is None:
        raise ValueError("this torch is not built for ROCm; use the backend dougong/cuda")
    return inductor(model, example_inputs)


def ascend(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Callable[..., Any]:
    """Return a callable that runs the model on an Ascend NPU by torch_npu's own kernels.

    Device: npu, which torch_npu adds to torch when torch is imported. Falls back: never.

    Args:
        model: In evaluation mode, on the NPU.
        example_inputs: Positional inputs, on the NPU; the model is run on them once, so that
            kernels are built before the first call.

    Returns:
        A callable with the model's arguments and result, without autograd.

    Raises:
        ValueError: the model is elsewhere, or in training mode.
    """
    _check_place(model, example_inputs, "npu")
    run = eager(model, example_inputs)
    run(*example_inputs)
    return run


def _check_place(model: nn.Module, example_inputs: tuple[Tensor, ...], kind: str) -> None:
    for tensor in (*model.parameters(), *model.buffers(), *example_inputs):
        if tensor.device.type != kind:
            raise ValueError(
                f"every weight and input must be on {kind}, found one on {tensor.device}; "
                f"move them by model.to({kind!r}) first"
            )
