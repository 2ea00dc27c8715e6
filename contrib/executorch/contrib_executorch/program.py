"""ExecuTorch as an inference backend.

Adapter of executorch (BSD-3-Clause), versions >=1.5,<2. Differs: what XNNPACK can run is given to
it, the rest runs on ExecuTorch's portable kernels; means over several dimensions are taken one
dimension at a time, and global pooling and group norm are made of these, because upstream's own
round several times as much as torch's.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime
from torch import Tensor, nn

from contrib_executorch.means import DECOMPOSITIONS


def lowered(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> bytes:
    """Export a model and lower it to a program, weights included: what a `.pte` file holds.

    Args:
        model: In evaluation mode, float32, on the CPU.
        example_inputs: Tensors of the shapes it will be called with.
    """
    with torch.no_grad():
        exported = torch.export.export(model, example_inputs)
        exported = exported.run_decompositions(dict(DECOMPOSITIONS))
        edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
        return bytes(edge.to_executorch().buffer)


class Loaded:
    """A program of one output, ready to run its `forward`.

    Holds the program's bytes: a method reads its weights from them and keeps no reference.
    """

    def __init__(self, program: bytes) -> None:
        self._bytes = program
        self._program = Runtime.get().load_program(program)
        self._method = self._program.load_method("forward")

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Run it; the result is a copy, because the next call writes into the same memory."""
        found: Tensor = self._method.execute(tuple(x.contiguous() for x in inputs))[0]
        return found.clone()


def prepare(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Callable[..., Tensor]:
    """Lower a model of one output and load the program.

    Args:
        model: In evaluation mode, float32, on the CPU.
        example_inputs: Tensors of the shapes it will be called with.

    Returns:
        A callable of tensors of those shapes.
    """
    return Loaded(lowered(model, example_inputs))
