"""The runner's side of the hub's API: signed requests, repeated until the hub is back."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import httpx

from dougong.errors import HubError
from dougong_ci.report import signing

PATIENCE_S = 600.0
"""How long a hub may be away, restarting or not, before the job is given up."""
_LONGEST_PAUSE_S = 10.0
_RETRIED = {429, 500, 502, 503, 504, 507}


class Gone(HubError):  # noqa: N818 - the job is gone; this is what the worker calls it
    """The job is not this runner's any more (409): drop it in silence."""


class HubLink:
    """The conversation about one job, or one build, with its hub."""

    def __init__(
        self, base_url: str, job_id: int, nonce: str, private_key: str, *, kind: str = "jobs"
    ) -> None:
        self._client = httpx.Client(base_url=base_url.rstrip("/"), timeout=30.0)
        self._jobs = f"/api/v1/{kind}/{job_id}"
        self._nonce = nonce
        self._key = private_key

    def claim(self) -> dict[str, Any]:
        """Take the job.

        Raises:
            Gone: it is done, claimed, or of another nonce.
        """
        return self._post("claim", {})

    def events(self, events: list[dict[str, Any]]) -> None:
        """Report events, which renews the lease."""
        self._post("events", {"events": events})

    def run(self, envelope: signing.Envelope) -> None:
        """Post one signed verdict; the same one twice is recorded once."""
        self._post("runs", {"envelope": dict(envelope)})

    def complete(self, outcome: str, reason: str = "") -> None:
        """Close the job as `judged` or `failed`, or a build as `failed` or `errored`."""
        self._post("complete", {"outcome": outcome, "reason": reason})

    def built(self, filename: str, wheel: bytes) -> None:
        """Close a build with its wheel."""
        text = base64.b64encode(wheel).decode()
        self._post("complete", {"outcome": "done", "filename": filename, "wheel": text})

    def hand_back(self, reason: str) -> None:
        """Give the job back to the queue."""
        self._post("hand-back", {"reason": reason})

    def download(self, path: str, target: Path) -> None:
        """Fetch an artifact into a file."""
        self._patiently("GET", path, b"", target)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _post(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        data = json.dumps({"nonce": self._nonce, **body}).encode()
        answer = self._patiently("POST", f"{self._jobs}/{what}", data, None)
        found = json.loads(answer or b"{}")
        return found if isinstance(found, dict) else {}

    def _patiently(self, method: str, path: str, body: bytes, target: Path | None) -> bytes:
        deadline = time.monotonic() + PATIENCE_S
        pause_s = 0.25
        while True:
            try:
                response = self._client.request(
                    method, path, content=body, headers=self._headers(method, path, body)
                )
                if response.status_code not in _RETRIED:
                    break
                trouble = f"{response.status_code} from {path}"
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__}: {error}"
            if time.monotonic() + pause_s > deadline:
                raise HubError(f"the hub did not answer for {PATIENCE_S:g} s: {trouble}")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        if response.status_code in (404, 409):
            raise Gone(f"{path}: {response.text[:300]}")
        if response.is_error:
            raise HubError(f"{method} {path}: {response.status_code}: {response.text[:600]}")
        if target is not None:
            target.write_bytes(response.content)
        return response.content

    def _headers(self, method: str, path: str, body: bytes) -> dict[str, str]:
        return _headers(method, path, body, self._key)


def signed_post(
    client: httpx.Client, path: str, body: dict[str, Any], private_key: str
) -> httpx.Response:
    """Post once, whatever comes back."""
    data = json.dumps(body).encode()
    return client.post(path, content=data, headers=_headers("POST", path, data, private_key))


def _headers(method: str, path: str, body: bytes, private_key: str) -> dict[str, str]:
    signed = signing.request_headers(method, path, int(time.time()), body, private_key)
    return {"Content-Type": "application/json", **signed}
