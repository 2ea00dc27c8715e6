"""Calls of the small kernels: arguments packed as the structs of `src/interface.h`.

A norm of a few rows takes microseconds, so that the way there must take no more: one `pack` and one
foreign call.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable

import torch
from torch import Tensor

from dougong_kernels import library

GRAIN = 1 << 15
"""Fewest elements worth a further thread."""

LAYOUTS = {
    "row_norm": struct.Struct("7P2qf3i"),
    "row_norm_backward": struct.Struct("9P3q3i"),
    "group_norm": struct.Struct("5P4qf2i"),
    "group_norm_backward": struct.Struct("8P4q2i"),
    "activation": struct.Struct("5Pq3i"),
}
"""Function -> its struct: P an address (0 for null), q int64, i int32, f float."""


@functools.cache
def function(name: str) -> Callable[..., None]:
    """Return a kernel of the level in use; it takes the fields of its struct in order.

    Raises:
        RuntimeError: this install has no library; ask `can_run` first.
    """
    found = library.kernels()
    if found is None:
        raise RuntimeError(f"dougong-kernels has no library: {library.missing()}")
    call, pack = found.function(name), LAYOUTS[name].pack

    def run(*fields: float) -> None:
        call(pack(*fields))

    return run


def can_run(x: Tensor, *others: Tensor | None) -> bool:
    """Say whether the kernels take these tensors, all of the dtype of the first.

    Nothing is called while `torch.compile` traces, so that the graph stays whole.
    """
    dtype = x.dtype
    if (dtype is not torch.float32 and dtype is not torch.bfloat16) or not x.is_cpu:
        return False
    for other in others:
        if other is not None and (other.dtype is not dtype or not other.is_cpu):
            return False
    return not torch.compiler.is_compiling() and library.kernels() is not None


def needs_gradient(*tensors: Tensor | None) -> bool:
    """Say whether autograd follows any of them."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def dense(tensor: Tensor) -> Tensor:
    """Return the tensor in its plain order, copied only if it is not."""
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def dense_or_none(tensor: Tensor | None) -> Tensor | None:
    """Return `dense` of a tensor that may be absent."""
    return None if tensor is None else dense(tensor)


def address(tensor: Tensor | None) -> int:
    """Return where a dense tensor lies, or 0."""
    return 0 if tensor is None else tensor.data_ptr()


def threads_for(elements: int) -> int:
    """Return how many threads a kernel over so many elements should use."""
    return max(1, min(torch.get_num_threads(), elements // GRAIN))
