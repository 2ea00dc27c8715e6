"""Heartbeats: what this machine can do, said to the hub while it lives, busy or not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import httpx

from dougong_ci.hardware import memory_bytes
from dougong_ci.report import signing
from dougong_ci.report.edition import JUDGE, SUITE
from dougong_ci.worker.drain import Drain
from dougong_ci.worker.hub import signed_post

BEAT_S = 15.0
_FIRST_S = 1.0
PATH = "/api/v1/runners/heartbeat"

log = logging.getLogger(__name__)


class Beacon:
    """Sends heartbeats from a thread of its own; a judgement does not hold them up."""

    def __init__(
        self, hub_url: str, private_key: str, hardware: Mapping[str, str], drain: Drain
    ) -> None:
        self._url = hub_url.rstrip("/")
        self._key = private_key
        self._hardware = dict(hardware)
        self._drain = drain
        self._said = ""

    def start(self) -> None:
        """Begin; the thread ends with the process."""
        threading.Thread(target=self._loop, name="beacon", daemon=True).start()

    def beat(self, client: httpx.Client) -> bool:
        """Send one heartbeat; return whether the hub took it."""
        try:
            answer = signed_post(client, PATH, self._body(), self._key)
        except httpx.TransportError as error:
            return self._say(f"the hub does not answer: {error}")
        if answer.status_code == 401:
            public = signing.public_of(self._key)
            return self._say(
                "the hub does not know this runner yet, or refuses its clock; on the hub run "
                f"`{register_command(public)}` ({answer.text[:200]})"
            )
        if answer.is_error:
            return self._say(f"the hub answers {answer.status_code}: {answer.text[:300]}")
        self._said = ""
        return True

    def _loop(self) -> None:
        pause_s = _FIRST_S
        with httpx.Client(base_url=self._url, timeout=10.0) as client:
            while True:
                heard = self.beat(client)
                # Soon at first, so that a hub that starts beside its workers is not kept waiting.
                pause_s = BEAT_S if heard else min(2 * pause_s, BEAT_S)
                if self._drain.asked.is_set():
                    threading.Event().wait(pause_s)
                else:
                    self._drain.asked.wait(pause_s)

    def _body(self) -> dict[str, Any]:
        return {
            "hardware": self._hardware,
            "memory_bytes": memory_bytes(),
            "judge_version": JUDGE,
            "suite_version": SUITE,
            "torch_version": version("torch"),
            "draining": self._drain.asked.is_set(),
        }

    def _say(self, trouble: str) -> bool:
        if trouble != self._said:
            log.warning("%s", trouble)
            self._said = trouble
        return False


def register_command(public: str) -> str:
    """Return what the operator of the hub runs to let a machine in."""
    return (
        f"dougong-hub runner_register --name {signing.key_id(public)} --public-key {public} "
        "--official"
    )
