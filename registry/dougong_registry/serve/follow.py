"""Follow a submission through the public API, like anyone would."""

from __future__ import annotations

import dataclasses
from typing import Any

import httpx

FINISHED = ("judged", "failed")
_EVENTS_AT_ONCE = 1000
"""As many as the hub gives at a time."""


@dataclasses.dataclass
class Progress:
    """How far one operator has come."""

    name: str
    gates: dict[str, str] = dataclasses.field(default_factory=dict)
    """Gate -> outcome, in the order in which they ran."""
    running: str = ""
    """The gate at work now."""
    outcome: str = ""
    code: str = ""


class Follower:
    """One submission, seen through its events."""

    def __init__(self, client: httpx.Client, submission_id: str) -> None:
        self.id = submission_id
        self.label = f"submission {submission_id}"
        self.state = "queued"
        self.error = ""
        self.operators: dict[str, Progress] = {}
        self._client = client
        self._after = 0

    @property
    def finished(self) -> bool:
        """Say whether nothing more will come."""
        return self.state in FINISHED

    def poll(self) -> list[Progress]:
        """Read what is new; return the operators that have just finished.

        A hub that does not answer is asked again next time: its web server may be starting again.
        """
        try:
            # State first: events that come after it are then read in the next round, not lost.
            submission = self._get(f"/api/v1/submissions/{self.id}")
            just_finished = self._take_events()
        except httpx.HTTPError:
            return []
        self._take_state(submission)
        return just_finished

    def _take_events(self) -> list[Progress]:
        finished: list[Progress] = []
        while True:
            events = self._get(f"/api/v1/submissions/{self.id}/events", after=self._after)
            finished += [done for event in events if (done := self._take(event))]
            if len(events) < _EVENTS_AT_ONCE:
                return finished

    def _get(self, path: str, **params: Any) -> Any:
        response = self._client.get(path, params=params)
        response.raise_for_status()
        return response.json()

    def _take(self, event: dict[str, Any]) -> Progress | None:
        self._after = max(self._after, int(event["seq"]))
        if event["kind"] == "requeued":
            for progress in self.operators.values():
                if not progress.outcome:
                    progress.gates.clear()
                    progress.running = ""
        if not (name := event.get("operator")):
            return None
        progress = self.operators.setdefault(name, Progress(name))
        gate, outcome = event.get("gate") or "", event.get("outcome") or ""
        match event["kind"]:
            case "gate_started":
                progress.running = gate
            case "gate_finished":
                progress.running = ""
                progress.gates[gate] = outcome
            case "operator_finished":
                first = not progress.outcome
                progress.running, progress.outcome = "", outcome
                progress.code = event.get("code") or ""
                return progress if first else None
        return None

    def _take_state(self, submission: dict[str, Any]) -> None:
        self.state = submission["state"]
        self.error = submission.get("error") or ""
        self.label = f"{submission['distribution']} {submission['version']}"
        for row in submission["operators"]:
            progress = self.operators.setdefault(row["name"], Progress(row["name"]))
            progress.outcome = progress.outcome or row.get("outcome") or ""
            progress.code = progress.code or row.get("code") or ""

    def problems(self) -> list[str]:
        """Return why the submission has not ended with a verdict on everything in it."""
        if self.state == "failed":
            return [f"{self.label}: {self.error or 'failed without a reason'}"]
        if not self.operators:
            return [f"{self.label}: no operator was found in it"]
        missing = [
            f"{self.label}: {progress.name} has no verdict ({progress.code or 'not judged'})"
            for progress in self.operators.values()
            if progress.outcome in ("", "errored")
        ]
        try:
            return missing + self._not_on_boards()
        except httpx.HTTPError as error:
            return [*missing, f"{self.label}: the boards cannot be read: {error}"]

    def _not_on_boards(self) -> list[str]:
        """Return the judged operators that no board of their contract shows, ranked or not."""
        standing: dict[str, set[str]] = {}
        missing = []
        for name, progress in self.operators.items():
            if progress.outcome in ("", "errored"):
                continue
            contract = self._get(f"/api/v1/operators/{name}")["operator"]["contract"]
            if contract not in standing:
                standing[contract] = self._standing(contract)
            if name not in standing[contract]:
                missing.append(f"{self.label}: {name} is judged, but on no board of {contract}")
        return missing

    def _standing(self, contract: str) -> set[str]:
        """Return the operators on any board of a contract."""
        path, found = f"/api/v1/boards/{contract}", set()
        first = self._get(path)
        for hardware in first["hardware_classes"]:
            for dtype in self._get(path, hardware=hardware)["dtypes"]:
                for mode in self._get(path, hardware=hardware, dtype=dtype)["modes"]:
                    board = self._get(path, hardware=hardware, dtype=dtype, mode=mode)
                    found |= {row["operator"] for row in (*board["rows"], *board["unranked"])}
        return found
