"""Keep a few processes alive, and take them all along when leaving."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable
from types import FrameType

from dougong_registry.serve import logs
from dougong_registry.serve.child import Child, Spec
from dougong_registry.serve.errors import StopRequested, UpError

_TICK_S = 0.2
_DEATHS_AT_START = 3
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """Starts children, restarts those that die, stops them in the reverse of a given order.

    Everything happens in the caller's thread, inside `wait` and what calls it: no thread, no
    callback, so that a child is always forked by the main thread and a signal is never lost.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.children: dict[str, Child] = {}
        self.on_death: Callable[[str], None] = lambda _name: None
        """Called with the name of a child that has died, before it is started again."""
        self._say = say
        self._wake = threading.Event()
        self._asked_to_stop = 0

    def listen(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP as the wish to stop; a second one means at once."""
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._asked_to_stop += 1
        self._wake.set()

    def start(self, spec: Spec) -> Child:
        """Start a child and keep it alive from now on."""
        child = self.children[spec.name] = Child(spec)
        child.start()
        return child

    def wait(self, seconds: float) -> None:
        """Let time pass while tending the children.

        Raises:
            StopRequested: a signal asked to stop.
        """
        deadline = time.monotonic() + seconds
        while True:
            self._tend()
            if self._asked_to_stop:
                raise StopRequested
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return
            self._wake.wait(min(_TICK_S, left_s))

    def until(self, ready: Callable[[], bool], child: Child, *, timeout_s: float) -> None:
        """Wait until `ready()`, which must return at once.

        Raises:
            UpError: the child keeps dying, or is not ready in time; with the end of its log.
            StopRequested: a signal asked to stop.
        """
        name, deadline = child.spec.name, time.monotonic() + timeout_s
        while not ready():
            self.wait(0.05)
            if child.restarts >= _DEATHS_AT_START:
                raise UpError(f"{name} ends as soon as it starts; {self._evidence(child)}")
            if time.monotonic() > deadline:
                raise UpError(
                    f"{name} is not ready after {timeout_s:.0f} s; {self._evidence(child)}"
                )

    def run(self, spec: Spec, *, timeout_s: float) -> int:
        """Run a process to its end, tending the others meanwhile; return its exit status.

        Raises:
            UpError: it took longer than `timeout_s` and was killed.
            StopRequested: a signal asked to stop; the process was killed.
        """
        child = Child(spec)
        child.start()
        deadline = time.monotonic() + timeout_s
        try:
            while (status := child.reap()) is None:
                self.wait(0.05)
                if time.monotonic() > deadline:
                    took = f"{spec.name} took over {timeout_s:.0f} s"
                    raise UpError(f"{took}; {self._evidence(child)}")
        finally:
            child.kill()
            child.ended(within_s=5.0)
        return status

    def stop(self, order: Iterable[str | tuple[str, ...]]) -> None:
        """End every child: those named first, in that order, then the rest.

        Names are prefixes (`worker` means every `worker-N`); those of one tuple are ended together.
        A second signal kills whatever is left at once.
        """
        for prefix in (*order, ""):
            children = [c for name, c in self.children.items() if name.startswith(prefix)]
            self._end(children)
            for child in children:
                del self.children[child.spec.name]

    def _end(self, children: list[Child]) -> None:
        signals_before = self._asked_to_stop
        for child in children:
            child.terminate()
        deadline = time.monotonic() + max((child.spec.grace_s for child in children), default=0.0)
        for child in children:
            while not child.ended(within_s=0.05):
                hurried = self._asked_to_stop > max(1, signals_before)
                if hurried or time.monotonic() > deadline:
                    break
        for child in children:
            child.kill()
            child.ended(within_s=5.0)

    def _tend(self) -> None:
        for child in self.children.values():
            if (status := child.reap()) is not None:
                ending = f"{child.spec.name} {_ending(status)}"
                self._say(f"{ending}; starting it again (log: {child.spec.log})")
                self.on_death(child.spec.name)
            child.restart_if_due()
            logs.cap(child.spec.log)

    def _evidence(self, child: Child) -> str:
        return f"its log {child.spec.log} ends:\n{logs.tail(child.spec.log)}"


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
