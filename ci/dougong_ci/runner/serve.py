"""One operator's process: prepare a call as the judge says, then answer calls one at a time.

The same code serves the baseline, its A/A copy and the candidate, so that its cost is on both
sides of every ratio. Foreign code runs only inside `prepare` and `call`.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import mmap
import os
import secrets
import socket
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dougong.contracts import evaluate
from dougong.contracts.definition import Bound, Case
from dougong.operator import resolve
from dougong_ci.runner import device, discovery, exercises, protocol
from dougong_ci.runner.device import mapped
from dougong_ci.runner.packing import Slot
from dougong_ci.runner.protocol import Control, Fault, State

_SPINS = 20_000
_DENSE = torch.strided
_OURS = "output shares memory with an input or the judge's output; return a new tensor"


class Refused(Exception):  # noqa: N818 - named for what it does: the result is refused
    """A result that is not what the contract asks for."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


def main(socket_fd: int, control_fd: int) -> None:
    """Serve the judge until it closes the socket; never returns."""
    judge = socket.socket(fileno=socket_fd)
    control = Control(control_fd)
    _shift_heap()
    call: Call | None = None
    while True:
        message, fds, _, _ = socket.recv_fds(judge, 16, 4)
        if not message:
            os._exit(0)
        try:
            if message == protocol.PREPARE:
                call = None
                call = Call(*fds)
            elif message == protocol.DISCOVER:
                discovery.main(*fds)
            elif message == protocol.ARM and call is not None:
                _block(control, call)
                continue
        # A plugin may raise anything, SystemExit included; it is a finding, not our end.
        except BaseException as error:
            control.fail(Fault.PREPARE, f"{type(error).__name__}: {error}")
        else:
            control.words[protocol.ANSWERED] = control.words[protocol.SEQUENCE]
            control.words[protocol.STATE] = State.DONE
        finally:
            for fd in fds:
                os.close(fd)


def _shift_heap() -> None:
    """Move what is allocated from now on by a random number of cache lines, up to 16 pages.

    Where tensors lie relative to each other makes equal code up to 5 % faster or slower, the same
    in every process that loaded the same modules. Drawn anew in each, it is noise that restarts
    average out, instead of an error they repeat (`Curtsinger & Berger 2013`, Stabilizer).
    """
    ctypes.CDLL(None).malloc((1 << 20) + 64 * secrets.randbelow(1024))  # never freed, on purpose


def _block(control: Control, call: Call) -> None:
    """Answer calls by flag until parked: a microsecond, where a socket costs fifty."""
    words, spins = control.words, 0
    # Spelt out: between flag and flag every look-up of a name is on everybody's clock.
    state_at, hold_at = protocol.STATE, protocol.HOLD
    sequence_at, answered_at = protocol.SEQUENCE, protocol.ANSWERED
    go, done, park = int(State.GO), int(State.DONE), int(State.PARK)
    call.tidy()
    words[state_at] = State.ARMED
    with call.grad_mode():
        while True:
            state = words[state_at]
            if state == go:
                try:
                    call(words[hold_at])
                except BaseException as error:
                    _report(control, error)
                else:
                    words[answered_at] = words[sequence_at]
                    words[state_at] = done
                spins = 0
            elif state == park:
                words[state_at] = State.IDLE
                return
            elif (spins := spins + 1) > _SPINS:
                os.sched_yield()


def _report(control: Control, error: BaseException) -> None:
    if isinstance(error, Refused):
        control.fail(error.fault, str(error))
    else:
        control.fail(Fault.EXCEPTION, f"{type(error).__name__}: {error}")


class Call:
    """An implementation bound to one case, over the judge's buffers."""

    def __init__(self, spec_fd: int, setup_fd: int, *fds: int) -> None:
        spec = json.loads(_read(spec_fd))
        self._place = device.device(spec["device"])
        self._settle, self._is_here = self._place.settle, self._place.is_here
        inputs, outputs = map(self._place.opened, fds, spec["handles"], spec["sizes"])
        setup = self._place.placed(mapped(setup_fd))
        # Autograd may hand the upstream gradient through, so aliasing is a fault forward only.
        self._backward = spec["direction"] == "backward"
        buffers = () if self._backward else (inputs, outputs, setup)
        self._spans = tuple(map(_span, buffers))
        views = [Slot.from_json(each).view(outputs) for each in spec["outputs"]]
        self._outputs = [(view, view.dtype, view.shape) for view in views]
        self._held: tuple[Tensor, ...] = ()
        self._tensors = _views(spec["tensors"], inputs)
        self._flowing = [Slot.from_json(each).view(inputs) for each in spec["flowing"]]
        self._case = Case(
            tensors=self._tensors,
            static=spec["static"],
            setup={n: t for n, t in _views(spec["setup"], setup).items() if t is not None},
            differentiable=tuple(spec["differentiable"]),
        )
        contract = exercises.contract(spec["contract"])
        bound: Bound = contract.bind(resolve(spec["target"]), self._case)
        self._bound = torch.compile(bound, dynamic=False) if spec["compiled"] else bound
        self._run: Callable[[], tuple[Tensor, ...]] = self._gradients
        if not self._backward:
            self._run = functools.partial(self._bound, self._tensors)

    def __call__(self, hold: int = 0) -> None:
        """Compute, check what came out, and copy it into the judge's buffer.

        Args:
            hold: Not 0: keep the results until the next call is done, whose results must be others.
        """
        results, outputs, is_here = self._run(), self._outputs, self._is_here
        if type(results) is not tuple or len(results) != len(outputs):
            raise Refused(Fault.TYPE, f"must give {len(outputs)} outputs, got {results!r}")
        spans = self._spans
        for i, (output, dtype, shape) in enumerate(outputs):
            result = results[i]
            if (
                type(result) is not Tensor
                or result.dtype is not dtype
                or result.shape != shape
                or result.layout is not _DENSE
                or not is_here(result)
            ):
                raise _misfit(result, dtype, shape, self._place.name)
            at = result.data_ptr()
            for begin, end in spans:
                if begin <= at < end:
                    raise Refused(Fault.ALIAS, _OURS)
            output.copy_(result)
        self._settle()
        if hold or self._held:
            self._refuse_shared(results)
            self._held = results if hold else ()

    def tidy(self) -> None:
        """Undo what an earlier call left in the device's settings; before anything is timed."""
        self._place.tidy()

    def grad_mode(self) -> contextlib.AbstractContextManager[None]:
        """Return what calls run under; entered once a block, for it costs a microsecond."""
        return contextlib.nullcontext() if self._backward else torch.no_grad()

    def _gradients(self) -> tuple[Tensor, ...]:
        return tuple(evaluate.gradients(self._bound, self._case, self._flowing).values())

    def _refuse_shared(self, results: tuple[Tensor, ...]) -> None:
        """Refuse results that share memory with each other or with those still held."""
        if self._backward:
            return
        every = [*results, *self._held]
        found = [each.untyped_storage().data_ptr() for each in every if each.numel()]
        if len(set(found)) < len(found):
            message = "two results share memory, of one call or of one after the other"
            raise Refused(Fault.ALIAS, f"{message}; return new tensors")


def _misfit(result: Any, dtype: torch.dtype, shape: torch.Size, place: str) -> Refused:
    """Say what is wrong with a result that is not as the contract says."""
    if type(result) is not Tensor:
        text = f"output must be a torch.Tensor, got {type(result).__name__}"
        return Refused(Fault.TYPE, text)
    if result.dtype is not dtype:
        return Refused(Fault.DTYPE, f"output must be {dtype}, got {result.dtype}")
    if result.shape != shape:
        return Refused(Fault.SHAPE, f"shape must be {tuple(shape)}, got {tuple(result.shape)}")
    text = f"must be dense on the {place}, got {result.layout} on {result.device}"
    return Refused(Fault.DEVICE, text)


def _span(buffer: Tensor) -> tuple[int, int]:
    return buffer.data_ptr(), buffer.data_ptr() + buffer.numel()


def _views(slots: dict[str, list[Any] | None], buffer: Tensor) -> dict[str, Tensor | None]:
    return {
        name: None if fields is None else Slot.from_json(fields).view(buffer)
        for name, fields in slots.items()
    }


def _read(fd: int) -> bytes:
    with mmap.mmap(fd, os.fstat(fd).st_size) as view:
        return view[:].rstrip(b"\0")
