"""AOTInductor as an inference backend.

Adapter of torch (BSD-3-Clause), versions >=2.13,<3. Differs: inputs are made contiguous before the
call, because a package takes the strides of its example for granted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._inductor import aoti_compile_and_package, aoti_load_package


def write(model: nn.Module, example_inputs: tuple[Tensor, ...], path: Path) -> Path:
    """Compile a model into a package: machine code and weights in one file.

    Args:
        model: In evaluation mode.
        example_inputs: Tensors of the shapes it will be called with.
        path: Of the package; must end in `.pt2`.

    Returns:
        The path.
    """
    with torch.no_grad():
        program = torch.export.export(model, example_inputs)
        aoti_compile_and_package(program, package_path=str(path))
    return path


def read(path: Path) -> Callable[..., Any]:
    """Load a package and return what runs it; the file is not needed afterwards."""
    package = aoti_load_package(str(path))

    def run(*inputs: Tensor) -> Any:
        with torch.no_grad():
            return package(*(x.contiguous() for x in inputs))

    return run


def prepare(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Callable[..., Any]:
    """Compile a model ahead of time and load the package it gives.

    Args:
        model: In evaluation mode, on the CPU.
        example_inputs: Tensors of the shapes it will be called with.

    Returns:
        A callable of tensors of those shapes. It holds the weights of now: changing them in the
        model changes nothing.
    """
    with tempfile.TemporaryDirectory(prefix="dougong-aoti-") as folder:
        return read(write(model, example_inputs, Path(folder) / "model.pt2"))
