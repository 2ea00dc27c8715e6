"""Where a runner computes: how it opens the judge's buffers there, and when a call is over."""

from __future__ import annotations

import functools
import mmap
import operator
import os
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor


class Device(Protocol):
    """What a runner needs of a processor."""

    name: str
    """Its `torch.device` type."""

    @property
    def is_here(self) -> Callable[[Tensor], bool]:
        """What says whether a tensor is on it; one call in C, for it is on everybody's clock."""

    def opened(self, fd: int, handle: str, size: int) -> Tensor:
        """Return a block of the judge's as flat uint8, on the device."""

    def placed(self, block: Tensor) -> Tensor:
        """Return a block of host memory on the device."""

    def settle(self) -> None:
        """Wait until all that this process started there is done; inside the timed window."""

    def tidy(self) -> None:
        """Undo what an earlier call may have left in the device's settings; untimed."""


class Cpu:
    """The processor: a block is a file in memory, and what returned is done."""

    name = "cpu"
    is_here = operator.attrgetter("is_cpu")

    def opened(self, fd: int, handle: str, size: int) -> Tensor:
        """Map the judge's file."""
        return mapped(fd)

    def placed(self, block: Tensor) -> Tensor:
        """Return it as it is."""
        return block

    def settle(self) -> None:
        """Nothing: what a thread of its own writes later is met as a late write."""

    def tidy(self) -> None:
        """Nothing: no setting of a processor outlives a process."""


class Cuda:
    """A CUDA device: a block is memory of the judge's process, opened by its handle."""

    name = "cuda"
    is_here = operator.attrgetter("is_cuda")

    def __init__(self) -> None:
        from dougong_ci.runner import cuda

        # Made before foreign code is imported, which may rebind what it finds by name.
        self._runtime = cuda.runtime()
        self._bytes_at = cuda.bytes_at

    def opened(self, fd: int, handle: str, size: int) -> Tensor:
        """Open the judge's block."""
        return self._bytes_at(self._runtime.opened(bytes.fromhex(handle)), size)

    def placed(self, block: Tensor) -> Tensor:
        """Copy it there."""
        return block.cuda()

    def settle(self) -> None:
        """Wait for every stream of the device, by the runtime itself."""
        self._runtime.synchronize()

    def tidy(self) -> None:
        """Give parts of the L2 cache back that a kernel reserved for its own data."""
        self._runtime.reset_persisting_l2()


@functools.cache
def device(name: str) -> Device:
    """Return a device by its `torch.device` type, the same throughout a process.

    Raises:
        CudaError: there is no CUDA device here.
    """
    return Cuda() if name == "cuda" else Cpu()


def mapped(fd: int) -> Tensor:
    """Return a shared file as flat bytes."""
    return torch.frombuffer(mmap.mmap(fd, os.fstat(fd).st_size), dtype=torch.uint8)
