"""Shared buffers of a call: the judge owns them, poisons the outputs and finds every stray byte."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import secrets
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from dougong.contracts.definition import Case
from dougong_ci.runner import packing

_NAN_HALF = 0x7FF0
LATE = "wrote its outputs after it had said that they were done"
_GLANCES = 32
"""Words of the outputs read at the moment of the answer, at places that nobody can foresee."""
_LINE_WORDS = 8
_LATE_SHARE = 32
"""One in so many cache lines of the inputs is shown last, up to `_LATE_MOST`."""
_LATE_MOST = 256


def shared_bytes(size: int) -> int:
    """Make a nameless file in memory whose size nobody can change, and return its descriptor.

    Sealed, because a runner that shrinks a mapped file would crash the judge by SIGBUS.
    """
    fd = os.memfd_create("dougong", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, max(size, 1))
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


def image(plan: packing.Plan, tensors: Mapping[str, Tensor | None]) -> Tensor:
    """Return private bytes laid out by the plan, canaries and all, ready to be revealed."""
    packed = torch.frombuffer(bytearray(secrets.token_bytes(64)), dtype=torch.uint8)
    packed = packed.repeat(-(-plan.total // 64))[: plan.total]
    fill(packed, plan, tensors)
    return packed


def fill(packed: Tensor, plan: packing.Plan, tensors: Mapping[str, Tensor | None]) -> None:
    """Write the storage of each tensor where the plan says."""
    for name, slot in plan.slots.items():
        tensor = tensors[name]
        if tensor is not None and slot.size:
            packed[slot.at : slot.at + slot.size] = packing.storage_of(tensor.detach())


def numbered(prefix: str, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    """Name tensors by their order; the prefix cannot be a call tensor's name."""
    return {f"<{prefix}-{i}>": tensor for i, tensor in enumerate(tensors)}


@dataclasses.dataclass(slots=True)
class Buffers:
    """What one prepared case shares with its runner."""

    inputs: Tensor
    outputs: Tensor
    in_plan: packing.Plan
    out_plan: packing.Plan
    _poison: Tensor
    """A NaN in every floating type, of other bits in every case; also the outputs' canary."""
    _glances: list[int] = dataclasses.field(default_factory=list)
    """Places of the outputs, in words, to look at when the next answer comes."""
    _glanced: list[int] = dataclasses.field(default_factory=list)
    """What was there when it came; nothing before."""
    _read: Callable[[list[int]], list[int]] = dataclasses.field(init=False)
    _count: int = dataclasses.field(init=False)
    _source: torch.Generator = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        """Choose how to look at the outputs by words, and where."""
        self._read, self._count = _reader(self.outputs)
        self._source = torch.Generator().manual_seed(secrets.randbits(63))

    @classmethod
    def make(
        cls, inputs: Tensor, outputs: Tensor, in_plan: packing.Plan, out_plan: packing.Plan
    ) -> Buffers:
        """Take two blocks of flat bytes, on any device, and choose the poison."""
        halves = [
            _NAN_HALF | (1 + secrets.randbelow(15)) | secrets.randbits(1) << 15 for _ in "four"
        ]
        word = sum(half << 16 * i for i, half in enumerate(halves))
        pattern = torch.tensor([word - (1 << 64) if word >> 63 else word], dtype=torch.int64)
        poisoned = pattern.repeat(out_plan.total // 8).view(torch.uint8).to(outputs.device)
        return cls(inputs, outputs, in_plan, out_plan, poisoned)

    def reveal(self, packed: Tensor) -> None:
        """Poison the outputs, then show the inputs; when this returns, they are as `packed` says.

        Showing takes about as long as a cheap operator does, and a runner may watch. So that it
        gains nothing by starting early, some cache lines, nobody knows which, hold those of other
        places until the very end: to find what has changed it must read everything again.
        """
        self.outputs.copy_(self._poison)
        lines, shown = (_lines(each) for each in (packed, self.inputs))
        count = len(lines)
        drawn = torch.randint(
            count, (2, min(_LATE_MOST, -(-count // _LATE_SHARE))), generator=self._source
        )
        late, elsewhere = drawn
        true = lines[late]
        try:
            lines[late] = lines[elsewhere]
            self.inputs.copy_(packed)
        finally:
            lines[late] = true
        places = torch.randint(self._count, (_GLANCES,), generator=self._source)
        self._glances, self._glanced = places.tolist(), []
        shown[late] = true.to(shown.device)

    def glance(self) -> None:
        """Read a few words of the outputs: the answer was given, so nothing may change any more.

        A runner that answers while a share f of its outputs is still to be written, in the hope
        of staying ahead of the copy, is met with probability 1 - (1 - f)^n by n words.
        """
        self._glanced = self._read(self._glances)

    def strays(self, packed: Tensor) -> str | None:
        """Say what was written that may not be: an input, or outside an output."""
        if any(not torch.equal(self.outputs[s], self._poison[s]) for s in self.out_plan.canaries()):
            return "wrote outside its outputs"
        if self._glanced and self._read(self._glances) != self._glanced:
            return LATE
        packed = packed.to(self.inputs.device)
        # Eight bytes at a time: by single bytes it takes seven times as long.
        if torch.equal(self.inputs.view(torch.int64), packed.view(torch.int64)):
            return None
        for name, slot in self.in_plan.slots.items():
            where = slice(slot.at, slot.at + slot.size)
            if not torch.equal(self.inputs[where], packed[where]):
                return f"changed its input {name}"
        return "wrote outside its inputs"

    def results(self) -> list[Tensor]:
        """Return copies of the outputs, in the judge's own memory."""
        views = (slot.view(self.outputs) for slot in self.out_plan.slots.values())
        return [view.to("cpu", copy=True) for view in views]


def _reader(buffer: Tensor) -> tuple[Callable[[list[int]], list[int]], int]:
    """Return what reads words of 8 bytes at some places, and how many words there are."""
    if buffer.device.type == "cpu":
        # A look takes 50 ns, where a tensor's takes 5 us.
        words = buffer.numpy().data.cast("Q")
        return lambda places: [words[at] for at in places], len(words)
    wide = buffer.view(torch.int64)
    return lambda places: wide[torch.tensor(places)].tolist(), len(wide)


def _lines(buffer: Tensor) -> Tensor:
    """Return whole cache lines of a buffer as rows, sharing memory; plans give multiples of one."""
    return buffer.view(torch.int64).view(-1, _LINE_WORDS)


def make_plans(
    case: Case, outputs: Sequence[Tensor], flowing: Sequence[Tensor]
) -> tuple[packing.Plan, packing.Plan, packing.Plan]:
    """Lay out inputs, outputs and setup of one case."""
    return (
        packing.plan({**case.tensors, **numbered("flowing", flowing)}),
        packing.plan(numbered("output", outputs), contiguous=True),
        packing.plan(case.setup),
    )
