"""One operator's process: prepare a call as the judge says, then answer calls one at a time.

The same code serves the baseline, its A/A copy and the candidate, so that its cost is on both
sides of every ratio. Foreign code runs only inside `prepare` and `call`.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import secrets
import socket
from typing import Any

import torch
from torch import Tensor

from dougong import contracts
from dougong.contracts import evaluate
from dougong.contracts.definition import Bound, Case
from dougong.operator import resolve
from dougong_ci.runner import discovery, protocol
from dougong_ci.runner.packing import Slot
from dougong_ci.runner.protocol import Control, Fault, State

_SPINS = 20_000


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
    words[protocol.STATE] = State.ARMED
    while True:
        state = words[protocol.STATE]
        if state == State.GO:
            try:
                call()
            except Refused as refusal:
                control.fail(refusal.fault, str(refusal))
            except BaseException as error:
                control.fail(Fault.EXCEPTION, f"{type(error).__name__}: {error}")
            else:
                words[protocol.ANSWERED] = words[protocol.SEQUENCE]
                words[protocol.STATE] = State.DONE
            spins = 0
        elif state == State.PARK:
            words[protocol.STATE] = State.IDLE
            return
        elif (spins := spins + 1) > _SPINS:
            os.sched_yield()


class Call:
    """An implementation bound to one case, over the judge's buffers."""

    def __init__(self, spec_fd: int, in_fd: int, out_fd: int, setup_fd: int) -> None:
        spec = json.loads(_read(spec_fd))
        inputs, outputs, setup = _buffer(in_fd), _buffer(out_fd), _buffer(setup_fd)
        # Autograd may hand the upstream gradient through, so aliasing is a fault forward only.
        self._aliasing_allowed = spec["direction"] == "backward"
        self._low, self._high = inputs.data_ptr(), inputs.data_ptr() + inputs.numel()
        self._outputs = [Slot.from_json(each).view(outputs) for each in spec["outputs"]]
        self._tensors = _views(spec["tensors"], inputs)
        self._flowing = [Slot.from_json(each).view(inputs) for each in spec["flowing"]]
        self._case = Case(
            tensors=self._tensors,
            static=spec["static"],
            setup={n: t for n, t in _views(spec["setup"], setup).items() if t is not None},
            differentiable=tuple(spec["differentiable"]),
        )
        self._run = self._backward if spec["direction"] == "backward" else self._forward
        contract = contracts.contract(spec["contract"])
        self._bound: Bound = contract.bind(resolve(spec["target"]), self._case)

    def __call__(self) -> None:
        """Compute, check what came out, and copy it into the judge's buffer."""
        results = self._run()
        if type(results) is not tuple or len(results) != len(self._outputs):
            raise Refused(Fault.TYPE, f"must give {len(self._outputs)} outputs, got {results!r}")
        for result, output in zip(results, self._outputs, strict=True):
            self._check(result, output)
            output.copy_(result)

    def _forward(self) -> tuple[Tensor, ...]:
        with torch.no_grad():
            return self._bound(self._tensors)

    def _backward(self) -> tuple[Tensor, ...]:
        return tuple(evaluate.gradients(self._bound, self._case, self._flowing).values())

    def _check(self, result: Any, output: Tensor) -> None:
        if type(result) is not Tensor:
            raise Refused(Fault.TYPE, f"output must be a torch.Tensor, got {type(result).__name__}")
        if result.dtype is not output.dtype:
            raise Refused(Fault.DTYPE, f"output must be {output.dtype}, got {result.dtype}")
        if result.shape != output.shape:
            raise Refused(
                Fault.SHAPE, f"shape must be {tuple(output.shape)}, got {tuple(result.shape)}"
            )
        if result.layout is not torch.strided or result.device.type != "cpu":
            raise Refused(
                Fault.DEVICE, f"must be dense on the cpu, got {result.layout} on {result.device}"
            )
        if self._aliasing_allowed or not result.numel():
            return
        if self._low <= result.untyped_storage().data_ptr() < self._high:
            raise Refused(Fault.ALIAS, "output shares memory with an input; return a new tensor")


def _views(slots: dict[str, list[Any] | None], buffer: Tensor) -> dict[str, Tensor | None]:
    return {
        name: None if fields is None else Slot.from_json(fields).view(buffer)
        for name, fields in slots.items()
    }


def _buffer(fd: int) -> Tensor:
    size = os.fstat(fd).st_size
    return torch.frombuffer(mmap.mmap(fd, size), dtype=torch.uint8)


def _read(fd: int) -> bytes:
    with mmap.mmap(fd, os.fstat(fd).st_size) as view:
        return view[:].rstrip(b"\0")
