"""How the correctness gates call an operator: prepare an answer's case, give inputs, get outputs.

The gates see only `Calls`. In a judgement it is a process in the candidate's sandbox, by the same
protocol as the timed calls; the definition lint calls its mutants, which are ours, in process.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from dougong_ci.judge.answers import Answer
from dougong_ci.judge.child import Child, Fell
from dougong_ci.judge.memory import LATE, image, numbered
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import Profile
from dougong_ci.runner.protocol import Fault


class Calls(Protocol):
    """One operator, ready to be called on one case after the other."""

    def start(self) -> None:
        """Begin afresh: whatever earlier calls left behind is gone.

        Raises:
            Fell: it cannot be started.
        """

    def bind(self, answer: Answer) -> None:
        """Prepare the operator for a case.

        Raises:
            Fell: preparation failed.
        """

    def outputs(self, answer: Answer, *, rebind: bool = True) -> list[Tensor]:
        """Run one call.

        Args:
            answer: Whose case it is; its own outputs only give shapes and dtypes.
            rebind: Prepare it first; without, it runs as what was prepared last, which must have
                been the same in all but the values.

        Raises:
            Fell: the call failed, or wrote where it may not.
        """

    def close(self) -> None:
        """Let go of whatever is held."""


class SandboxCalls:
    """Calls in one process of the candidate's sandbox."""

    def __init__(self, target: str, party: Party, profile: Profile) -> None:
        self._target = target
        self._party = party
        self._profile = profile
        self._child: Child | None = None

    def start(self) -> None:
        """Fork a fresh process."""
        self._child = self._party.spawn()

    def adopt(self, child: Child) -> None:
        """Call in a process that is there already."""
        self._child = child

    def bind(self, answer: Answer) -> None:
        """Have the runner prepare the case; see `Calls.bind`."""
        self._process().prepare(
            answer.contract.id, self._target, answer.case, answer.natives[0], answer.flowing
        )

    def outputs(self, answer: Answer, *, rebind: bool = True) -> list[Tensor]:
        """Run one call and return its outputs, having looked for stray writes."""
        child = self._process()
        if rebind or child.buffers is None:
            self.bind(answer)
        if (buffers := child.buffers) is None:
            raise RuntimeError("a call needs a prepared child")
        packed = image(
            buffers.in_plan, {**answer.case.tensors, **numbered("flowing", answer.flowing)}
        )
        with child.armed(patient=True):
            child.call(packed, self._profile.prepare_s, timed=False)
        if stray := buffers.strays(packed):
            raise Fell(Fault.TAMPER if stray == LATE else Fault.ALIAS, stray)
        return buffers.results()

    def close(self) -> None:
        """Kill the process."""
        self._party.drop()

    def _process(self) -> Child:
        if self._child is None:
            raise RuntimeError("the build gate starts the process")
        return self._child
