"""What every kernel here asks of its tensors before it is launched."""

from __future__ import annotations

import os

import torch
from torch import Tensor

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def check(*tensors: Tensor | None) -> None:
    """Refuse tensors that the kernels cannot read.

    Raises:
        TypeError: a dtype is none of `DTYPES`, or they differ.
        ValueError: a tensor is not on a CUDA device, and Triton does not interpret.
    """
    given = [tensor for tensor in tensors if tensor is not None]
    for tensor in given:
        if tensor.dtype not in DTYPES or tensor.dtype != given[0].dtype:
            found = ", ".join(str(each.dtype) for each in given)
            raise TypeError(f"tensors must all be float32, bfloat16 or float16, got {found}")
        if not tensor.is_cuda and not interpreted():
            raise ValueError(
                f"tensors must be on a CUDA device, got {tensor.device}; on the CPU Triton only "
                "interprets, with TRITON_INTERPRET=1 set before it is imported"
            )


def interpreted() -> bool:
    """Say whether kernels run in Triton's interpreter."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def rows_last(tensor: Tensor) -> Tensor:
    """Return the tensor with its last dimension dense in memory, copied if need be."""
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] < 2 else tensor.contiguous()
