"""Events on their way to the hub: batched, and never silent for long, so that the lease holds."""

from __future__ import annotations

import threading
import time
from typing import Any, Self

from dougong.errors import HubError
from dougong_ci.worker.hub import Gone, HubLink

BATCH_S = 0.5
HEARTBEAT_S = 10.0
_BATCH = 200


class Reporter:
    """Sends events from a thread of its own; the judge never waits for the network."""

    def __init__(self, link: HubLink) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._waiting: list[dict[str, Any]] = []
        self._sent_at = time.monotonic()
        self._stop = threading.Event()
        self._sending = threading.Lock()
        self._trouble: HubError | None = None
        self._thread = threading.Thread(target=self._loop, name="reporter", daemon=True)

    def take(self, event: dict[str, Any]) -> None:
        """Queue an event.

        Raises:
            Gone: the hub gave the job to another runner; there is no use in going on.
        """
        self.check()
        with self._lock:
            self._waiting.append(event)

    def check(self) -> None:
        """Raise what the thread met, if anything."""
        if self._trouble is not None:
            raise self._trouble

    def flush(self) -> None:
        """Send what waits, now, in order.

        Raises:
            HubError: the hub refuses, or is away for too long.
        """
        with self._sending:
            while True:
                with self._lock:
                    batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
                if not batch:
                    return
                self._link.events(batch)
                self._sent_at = time.monotonic()

    def _loop(self) -> None:
        while not self._stop.wait(BATCH_S):
            try:
                if time.monotonic() - self._sent_at > HEARTBEAT_S:
                    with self._lock:
                        idle = not self._waiting
                    if idle:
                        with self._sending:
                            self._link.events([{"kind": "progress", "message": ""}])
                            self._sent_at = time.monotonic()
                self.flush()
            except (Gone, HubError) as trouble:
                self._trouble = trouble
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
