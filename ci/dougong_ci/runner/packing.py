"""Tensors in a shared buffer: where each lies, with a canary before and after.

Both sides use this: the judge packs, the runner views. A tensor travels as the bytes of its
storage with shape, strides and offset, so that layouts arrive as the contract made them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

CANARY_BYTES = 64
_ALIGN = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Slot:
    """One tensor in a buffer."""

    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    """Of the first element in its storage, in elements."""
    at: int
    """Where the storage begins in the buffer, in bytes."""
    size: int
    """Bytes of the storage."""

    def view(self, buffer: Tensor) -> Tensor:
        """Return the tensor over a uint8 buffer, sharing memory."""
        flat = self.storage(buffer)
        return flat.as_strided(self.shape, self.stride, flat.storage_offset() + self.offset)

    def storage(self, buffer: Tensor) -> Tensor:
        """Return the whole storage as a flat tensor of the dtype, sharing memory."""
        return buffer[self.at : self.at + self.size].view(getattr(torch, self.dtype))

    def to_json(self) -> list[Any]:
        """Return the fields as a JSON list; `Slot.from_json` reads it."""
        return list(dataclasses.astuple(self))

    @classmethod
    def from_json(cls, fields: list[Any]) -> Slot:
        """Read what `to_json` wrote."""
        dtype, shape, stride, offset, at, size = fields
        return cls(dtype, tuple(shape), tuple(stride), offset, at, size)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Where every tensor of one call lies. Absent tensors (None) have no slot."""

    slots: dict[str, Slot]
    total: int
    """Bytes of the buffer, canaries included."""

    def canaries(self) -> list[slice]:
        """Return the byte ranges that nobody may write: before, between and after the tensors."""
        edges, begin = [], 0
        for slot in self.slots.values():
            edges.append(slice(begin, slot.at))
            begin = slot.at + slot.size
        return [*edges, slice(begin, self.total)]


def plan(tensors: Mapping[str, Tensor | None], *, contiguous: bool = False) -> Plan:
    """Lay tensors out in one buffer.

    Args:
        tensors: By name; None is left out.
        contiguous: Give each slot plain strides whatever the tensor has (for outputs).
    """
    slots: dict[str, Slot] = {}
    at = CANARY_BYTES
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        shape = tuple(tensor.shape)
        if contiguous:
            stride, offset = torch.empty(shape, device="meta").stride(), 0
            size = tensor.numel() * tensor.element_size()
        else:
            stride, offset = tensor.stride(), int(tensor.storage_offset())
            size = tensor.untyped_storage().nbytes()
        dtype = str(tensor.dtype).removeprefix("torch.")
        slots[name] = Slot(dtype, shape, tuple(stride), offset, at, size)
        at += -(-size // _ALIGN) * _ALIGN + CANARY_BYTES
    return Plan(slots, at)


def storage_of(tensor: Tensor) -> Tensor:
    """Return the whole storage of a tensor as flat bytes, sharing memory."""
    return torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
