"""One operator before the judge: its gates as they finish, and what ends its trial early."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

from dougong.operator import Operator
from dougong_ci.judge.answers import Answers
from dougong_ci.judge.child import Fell
from dougong_ci.judge.rows import Spread
from dougong_ci.judge.source import Source
from dougong_ci.quality.sent import Sent, Times
from dougong_ci.report.verdict import AccuracyRow, Gate, Outcome, QualityRow, SpeedCase
from dougong_ci.runner.protocol import Fault

Emit = Callable[[dict[str, Any]], None]

CONTRACT_FAULTS = {Fault.TYPE, Fault.DTYPE, Fault.SHAPE, Fault.ALIAS, Fault.DEVICE}
_CODES = {
    Fault.CRASH: "REJECTED_CRASH",
    Fault.HANG: "REJECTED_TIMEOUT",
    Fault.TAMPER: "REJECTED_TAMPER",
    Fault.PREPARE: "REJECTED_BUILD",
}
_GATE_CODES = {
    "build": "REJECTED_BUILD",
    "contract": "REJECTED_CONTRACT",
    "accuracy": "REJECTED_ACCURACY",
    "edges": "REJECTED_EDGE",
    "gradient": "REJECTED_GRAD",
    "laws": "REJECTED_LAW",
    "determinism": "REJECTED_NONDETERMINISTIC",
    "quality": "REJECTED_QUALITY",
    "speed": "REJECTED_SLOW",
}
GATES = (
    "build",
    "contract",
    "accuracy",
    "edges",
    "gradient",
    "laws",
    "determinism",
    "quality",
    "noise",
    "speed",
)


class Over(Exception):  # noqa: N818 - the trial is over; not an error of the judge
    """The operator cannot be judged further: its process is dead, hung or not to be trusted."""


class Broken(Exception):  # noqa: N818 - the rule was broken; becomes the reason of a gate
    """An operator broke the rule of the gate being run.

    Args:
        reason: The rule and the value, for people.
        gate: Whose code the verdict gets, where it is not that of the gate being run.
        code: The verdict's code, where it is none of a gate's.
    """

    def __init__(self, reason: str, gate: str = "", code: str = "") -> None:
        super().__init__(reason)
        self.code = code or _GATE_CODES.get(gate, "")


@dataclasses.dataclass
class Docket:
    """Everything found about one operator."""

    operator: Operator
    source: Source
    answers: Answers
    emit: Emit
    unavailable: str = ""
    """Why this machine cannot run it; empty where it can."""
    gates: dict[str, Gate] = dataclasses.field(default_factory=dict)
    accuracy: list[AccuracyRow] = dataclasses.field(default_factory=list)
    spread: Spread = dataclasses.field(default_factory=Spread)
    speed: dict[str, SpeedCase] = dataclasses.field(default_factory=dict)
    quality: list[QualityRow] = dataclasses.field(default_factory=list)
    sent: dict[int, list[Sent]] = dataclasses.field(default_factory=dict)
    """Some attention calls of the quality tasks by length, to be timed afterwards."""
    lengths: dict[int, Times] = dataclasses.field(default_factory=dict)
    """Times of those calls."""
    code: str = ""
    """Set by the first failure."""
    fingerprints: dict[str, bytes] = dataclasses.field(default_factory=dict)
    """Digest of an output by workload, to be met again in other processes."""
    held: str = ""
    """Why its speed is not believed; empty where it is."""
    finished: bool = False
    began: float = dataclasses.field(default_factory=time.time)

    @property
    def standing(self) -> bool:
        """Whether nothing has failed, so that speed is worth measuring."""
        return not self.code and not self.unavailable

    @contextlib.contextmanager
    def gate(self, name: str) -> Iterator[Gate]:
        """Run one gate: passed unless the body says otherwise, failed where the operator falls.

        `Over` is raised on where the process cannot go on.
        """
        gate = self.gates.setdefault(name, Gate(name=name, outcome=Outcome.PASSED, summary=""))
        self.emit({"kind": "gate_started", "operator": self.operator.name, "gate": name})
        begin = time.perf_counter()
        over = False
        try:
            yield gate
        except Broken as broken:
            self.fail(gate, str(broken), broken.code)
        except Fell as fell:
            over = fell.fault in _CODES
            at = "contract" if fell.fault in CONTRACT_FAULTS else name
            self.fail(gate, str(fell), _CODES.get(fell.fault) or _GATE_CODES.get(at, ""))
        finally:
            gate.duration_s += time.perf_counter() - begin
            self._tell(gate)
        if over:
            raise Over

    def fail(self, gate: Gate, reason: str, code: str = "") -> None:
        """Record a failure; the first one names the verdict."""
        gate.outcome, gate.summary = Outcome.FAILED, reason
        self.code = self.code or code or _GATE_CODES[gate.name]

    def skip(self, name: str, reason: str, *, required: bool = True) -> None:
        """Record that a gate did not run, and why."""
        if name not in self.gates:
            self.gates[name] = Gate(
                name=name, outcome=Outcome.SKIPPED, summary=reason, required=required
            )
            self._tell(self.gates[name])

    def _tell(self, gate: Gate) -> None:
        self.emit(
            {
                "kind": "gate_finished",
                "operator": self.operator.name,
                "gate": gate.name,
                "outcome": gate.outcome.value,
                "summary": gate.summary,
                "duration_s": round(gate.duration_s, 3),
            }
        )
