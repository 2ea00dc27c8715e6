"""Large pages for memory that is read from end to end, as a cache is at every token.

A processor finds memory through tables of pages; at 4 KiB a page, looking them up takes longer
than reading them. Linux can hold the same memory in pages of 2 MiB.
"""

from __future__ import annotations

import ctypes
import mmap
import sys

from torch import Tensor

_COLLAPSE = 25
"""MADV_COLLAPSE of Linux 6.1: make large pages of what is there, now."""


def use_large_pages(*tensors: Tensor) -> bool:
    """Ask the system to hold the tensors' memory in large pages; call once, after allocating.

    Takes about a second a gigabyte, once, since what is there is moved. Changes no value.

    Args:
        *tensors: On the CPU; all of the storage of each is moved.

    Returns:
        Whether the system did so for all; False too where it has no such pages, or no way to ask.
    """
    if sys.platform != "linux" or any(each.device.type != "cpu" for each in tensors):
        return False
    moved = [_moved(each) for each in tensors]
    return all(moved)


def _moved(tensor: Tensor) -> bool:
    storage = tensor.untyped_storage()
    start = -(-storage.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    end = (storage.data_ptr() + storage.nbytes()) // mmap.PAGESIZE * mmap.PAGESIZE
    if end <= start:
        return False
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    asked = advise(start, end - start, mmap.MADV_HUGEPAGE)
    return bool(asked == 0 and advise(start, end - start, _COLLAPSE) == 0)
