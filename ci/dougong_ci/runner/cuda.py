"""The little of the CUDA runtime that torch does not offer, by ctypes.

Memory shared between processes by handle, a wait for the whole device that nobody can patch, and
the L2 carve-out put back. torch's own allocator and Python-level `synchronize` are left alone: what
the judge relies on must not pass through names that foreign code can rebind.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import torch
from torch import Tensor

from dougong.errors import DougongError

_HANDLE_BYTES = 64
_LAZY_PEER_ACCESS = 1
_PERSISTING_L2_BYTES = 6  # cudaLimitPersistingL2CacheSize


class CudaError(DougongError):
    """The CUDA runtime is not there, or refused."""


class _Handle(ctypes.Structure):
    _fields_ = (("reserved", ctypes.c_char * _HANDLE_BYTES),)


class Runtime:
    """The runtime library that this torch was built with."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._library.cudaGetErrorString.restype = ctypes.c_char_p
        self._library.cudaIpcOpenMemHandle.argtypes = (
            ctypes.POINTER(ctypes.c_void_p),
            _Handle,
            ctypes.c_uint,
        )
        self._library.cudaMalloc.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t)
        self._library.cudaIpcGetMemHandle.argtypes = (ctypes.POINTER(_Handle), ctypes.c_void_p)
        self._library.cudaFree.argtypes = (ctypes.c_void_p,)
        self._library.cudaDeviceSetLimit.argtypes = (ctypes.c_int, ctypes.c_size_t)
        self._wait = self._library.cudaDeviceSynchronize

    def allocate(self, size: int) -> tuple[int, bytes]:
        """Return address and handle of a new block of its own, outside torch's allocator.

        A handle names a whole allocation, so a block cut from a larger one would show its
        neighbours to whoever opens it.
        """
        address, handle = ctypes.c_void_p(), _Handle()
        self._check(self._library.cudaMalloc(ctypes.byref(address), max(size, 1)), "cudaMalloc")
        self._check(
            self._library.cudaIpcGetMemHandle(ctypes.byref(handle), address), "cudaIpcGetMemHandle"
        )
        return int(address.value or 0), ctypes.string_at(ctypes.addressof(handle), _HANDLE_BYTES)

    def free(self, address: int) -> None:
        """Give a block back."""
        self._check(self._library.cudaFree(address), "cudaFree")

    def opened(self, handle: bytes) -> int:
        """Return the address, in this process, of another process's block."""
        address, given = ctypes.c_void_p(), _Handle()
        ctypes.memmove(ctypes.addressof(given), handle, _HANDLE_BYTES)
        self._check(
            self._library.cudaIpcOpenMemHandle(ctypes.byref(address), given, _LAZY_PEER_ACCESS),
            "cudaIpcOpenMemHandle",
        )
        return int(address.value or 0)

    def synchronize(self) -> None:
        """Wait for everything on every stream of this process."""
        self._check(self._wait(), "cudaDeviceSynchronize")

    def reset_persisting_l2(self) -> None:
        """Take back a share of the L2 cache that a kernel may have reserved for its own data."""
        self._check(self._library.cudaDeviceSetLimit(_PERSISTING_L2_BYTES, 0), "cudaDeviceSetLimit")
        self._check(self._library.cudaCtxResetPersistingL2Cache(), "cudaCtxResetPersistingL2Cache")

    def _check(self, code: int, what: str) -> None:
        if code:
            text = self._library.cudaGetErrorString(code).decode("ascii", "replace")
            raise CudaError(f"{what}: {text} ({code})")


@functools.cache
def runtime() -> Runtime:
    """Load the runtime that torch has loaded already.

    Raises:
        CudaError: this torch was built without CUDA, or there is no device.
    """
    version = torch.version.cuda
    if version is None:
        raise CudaError(f"torch {torch.__version__} was built without CUDA; install a CUDA build")
    if not torch.cuda.is_available():
        raise CudaError(
            "torch sees no CUDA device; is the driver installed and the device visible?"
        )
    torch.cuda.init()  # type: ignore[no-untyped-call]
    name = f"libcudart.so.{version.partition('.')[0]}"
    try:
        return Runtime(ctypes.CDLL(name))
    except OSError as error:
        raise CudaError(f"{name} cannot be loaded: {error}") from error


class _Raw:
    """Memory at an address, as libraries hand arrays to each other (CUDA array interface 3)."""

    def __init__(self, address: int, size: int) -> None:
        self.__cuda_array_interface__ = {
            "shape": (size,),
            "typestr": "|u1",
            "data": (address, False),
            "strides": None,
            "version": 3,
        }


def bytes_at(address: int, size: int) -> Tensor:
    """Return device memory as a flat uint8 tensor, without a copy."""
    return torch.as_tensor(_Raw(address, size), device="cuda")
