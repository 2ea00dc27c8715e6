"""One operator's process, seen from the judge, who holds the clock.

Whatever goes wrong over there arrives as `Fell`, which names the fault.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from dougong.contracts.definition import Case
from dougong_ci.judge.device import Block, Device
from dougong_ci.judge.memory import Buffers, fill, make_plans, shared_bytes
from dougong_ci.judge.request import Profile
from dougong_ci.runner import protocol
from dougong_ci.runner.device import mapped
from dougong_ci.runner.protocol import ANSWERED, HOLD, SEQUENCE, STATE, Control, Fault, State

_LOOK_NS = 5_000_000
_SPIN_NS = 1_000_000_000
_GLIMPSES = 32
"""Looks at the flag between two at the clock, which costs as much as several."""


class Fell(Exception):  # noqa: N818 - the runner fell; callers read `fault`
    """The runner could not answer."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message or fault.name.lower())
        self.fault = fault


class Child:
    """A forked runner: prepare a case, arm it, call it."""

    def __init__(self, channel: socket.socket, page: int, profile: Profile, device: Device) -> None:
        self._channel = channel
        self._device = device
        self._blocks: list[Block] = []
        self._control = Control(page)
        self._profile = profile
        self._sequence = 0
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN | select.POLLHUP)
        self.buffers: Buffers | None = None
        self.fallen = False
        """Whether the process is dead, hung or not to be trusted any more."""

    def prepare(
        self,
        contract: str,
        target: str,
        case: Case,
        outputs: Sequence[Tensor],
        flowing: Sequence[Tensor] = (),
        *,
        compiled: bool = False,
    ) -> Buffers:
        """Have the runner bind a target to a case, over new buffers.

        Args:
            contract: Contract id; the runner takes it from the installed release.
            target: Dotted target of the implementation.
            case: Statics, setup and the memory layout of the call tensors; values stay here.
            outputs: Tensors of the shapes and dtypes expected; values stay here.
            flowing: Upstream gradients. Given, the call is backward and its outputs are the
                gradients of the case's differentiable tensors.
            compiled: Put the bound call under `torch.compile`.

        Raises:
            Fell: import, preparation or the process failed.
        """
        in_plan, out_plan, setup_plan = make_plans(case, outputs, flowing)
        slots = {name: slot.to_json() for name, slot in in_plan.slots.items()}
        blocks = [self._device.block(plan.total) for plan in (in_plan, out_plan)]
        self._blocks += blocks
        spec = {
            "device": self._device.name,
            "handles": [block.handle for block in blocks],
            "sizes": [in_plan.total, out_plan.total],
            "contract": contract,
            "target": target,
            "static": dict(case.static),
            "direction": "backward" if flowing else "forward",
            "compiled": compiled,
            "differentiable": list(case.differentiable),
            "tensors": {name: slots.get(name) for name in case.tensors},
            "flowing": [slot for name, slot in slots.items() if name.startswith("<flowing-")],
            "outputs": [slot.to_json() for slot in out_plan.slots.values()],
            "setup": {name: slot.to_json() for name, slot in setup_plan.slots.items()},
        }
        text = json.dumps(spec).encode()
        with _files(len(text), setup_plan.total, owned=[block.fd for block in blocks]) as fds:
            os.pwrite(fds[0], text, 0)
            fill(mapped(fds[1]), setup_plan, case.setup)
            shown, returned = (block.tensor for block in blocks)
            self.buffers = Buffers.make(shown, returned, in_plan, out_plan)
            self._request(protocol.PREPARE, fds)
        return self.buffers

    def discover(self, spec: Mapping[str, Any], size: int) -> bytes:
        """Have the runner list what a distribution registers; return the raw bytes.

        Raises:
            Fell: the process failed.
        """
        text = json.dumps(spec).encode()
        with _files(len(text), size) as fds:
            os.pwrite(fds[0], text, 0)
            self._request(protocol.DISCOVER, fds)
            return os.pread(fds[1], size, 0).partition(b"\0")[0]

    @contextlib.contextmanager
    def armed(self, *, patient: bool = False) -> Iterator[None]:
        """Keep the runner awake at its flag, for calls; afterwards it sleeps at its socket.

        Args:
            patient: Leave the core to others meanwhile, where nothing is timed.
        """
        words = self._control.words
        words[STATE] = State.IDLE
        self._send(protocol.ARM, ())
        self._await(State.IDLE, self._profile.call_s, patient=patient)
        try:
            yield
        finally:
            if not self.fallen:
                words[STATE] = State.PARK
                with contextlib.suppress(Fell):
                    self._await(State.PARK, self._profile.call_s, patient=patient)

    def call(self, packed: Tensor, limit_s: float, *, timed: bool = True) -> float:
        """Reveal the inputs, let it compute, and return the microseconds by the judge's clock.

        Raises:
            Fell: it reported a fault, died, hung or answered out of turn.
        """
        if self.buffers is None:
            raise RuntimeError("prepare a case before calling it")
        words = self._control.words
        self._sequence += 1
        self.buffers.reveal(packed)
        self._device.before_call()
        words[SEQUENCE] = self._sequence
        words[HOLD] = not timed
        begin = time.perf_counter_ns()
        words[STATE] = State.GO
        self._await(State.GO, limit_s, patient=not timed)
        took_us = (time.perf_counter_ns() - begin) / 1e3
        self.buffers.glance()
        self._check_answer()
        return took_us

    def close(self) -> None:
        """Forget the process; its zygote kills it. `free` is for afterwards."""
        self._poll.unregister(self._channel)
        self._channel.close()
        self.buffers = None
        self._control.close()

    def free(self) -> None:
        """Give back the memory that the process had opened, now that it is dead."""
        for block in self._blocks:
            block.free()
        self._blocks.clear()

    def _request(self, word: bytes, fds: Sequence[int]) -> None:
        words = self._control.words
        self._sequence += 1
        words[SEQUENCE] = self._sequence
        words[STATE] = State.IDLE
        self._send(word, fds)
        self._await(State.IDLE, self._profile.prepare_s, patient=True)
        self._check_answer()

    def _send(self, word: bytes, fds: Sequence[int]) -> None:
        try:
            socket.send_fds(self._channel, [word], list(fds))
        except OSError:
            self._fall(Fault.CRASH, "its process is gone")

    def _await(self, state: State, limit_s: float, *, patient: bool) -> None:
        """Wait until the state word is no longer `state`; `patient` leaves the core to others."""
        words, word, glimpses = self._control.words, int(state), range(_GLIMPSES)
        begin = look = time.perf_counter_ns()
        pause_s = 20e-6
        while True:
            for _ in glimpses:
                if words[0] != word:  # STATE, spelt out: a global costs a fifth of this loop
                    return
            now = time.perf_counter_ns()
            if patient or now - begin > _SPIN_NS:
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, 2e-3)
            if now - look > _LOOK_NS:
                look = now
                self._look(now - begin, limit_s)

    def _look(self, waited_ns: int, limit_s: float) -> None:
        if self._poll.poll(0):
            self._fall(Fault.CRASH, "its process died during the call")
        if waited_ns > limit_s * 1e9:
            self._fall(Fault.HANG, f"no answer within {limit_s:g} s")

    def _fall(self, fault: Fault, message: str) -> None:
        self.fallen = True
        raise Fell(fault, message)

    def _check_answer(self) -> None:
        words = self._control.words
        state, answered = words[STATE], words[ANSWERED]
        if answered != self._sequence or state not in (State.DONE, State.FAILED):
            self._fall(Fault.TAMPER, "the control page was written out of turn")
        if state == State.FAILED:
            raise Fell(self._control.fault(), self._control.message())


@contextlib.contextmanager
def _files(*sizes: int, owned: Sequence[int] = ()) -> Iterator[list[int]]:
    fds = [*(shared_bytes(size) for size in sizes), *owned]
    try:
        yield fds
    finally:
        for fd in fds:
            os.close(fd)
