"""What the tasks' own calls cost: candidate and exact baseline, length by length.

Timed are calls that the tasks made, in fresh processes and in turns drawn by the secret seed; and
what comes back must be, bit for bit, what came back when the quality was measured. An operator
cannot be careful in one and quick in the other.
"""

from __future__ import annotations

import contextlib
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence

import torch

from dougong.contracts.definition import Contract
from dougong.operator import Operator
from dougong_ci.judge.child import Child, Fell
from dougong_ci.judge.correctness import bits
from dougong_ci.judge.docket import Broken, Docket
from dougong_ci.judge.memory import image
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import Profile
from dougong_ci.quality.rows import worst_of
from dougong_ci.quality.sent import Sent, Times
from dougong_ci.report.verdict import ParetoPoint, QualityRow
from dougong_ci.runner.protocol import Fault

_ROUNDS = {"quick": 3, "full": 15}
_USUAL_ROUNDS = 6
_LONGEST_S = 0.8
"""Of one length, from which rounds are cut back."""


class Cost:
    """Times the calls of the tasks in two processes, one of each party."""

    def __init__(
        self,
        operator: Operator,
        contract: Contract,
        parties: Mapping[str, Party],
        children: Mapping[str, Child],
        profile: Profile,
        source: random.Random,
    ) -> None:
        """Take fresh processes.

        Args:
            operator: The candidate.
            contract: Its contract; the first baseline is what it is compared with.
            parties: `baseline` and `candidate`, at least; the second is frozen between its turns.
            children: A child of each.
            profile: Limits, and how many rounds.
            source: Draws the order of turns.
        """
        self._operator, self._contract = operator, contract
        self._parties, self._children = parties, children
        self._profile, self._source = profile, source

    def run(self, sent: Mapping[int, Sequence[Sent]], times: dict[int, Times]) -> None:
        """Time the calls of every length and add to `times`.

        Raises:
            Broken: a deterministic operator gave other bits than in the tasks.
            Fell: the candidate fell.
        """
        for length in sorted(sent):
            self._length(sent[length], times.setdefault(length, Times()))

    def _length(self, calls: Sequence[Sent], times: Times) -> None:
        # Calls of one length differ in batch and heads where they come from several models.
        shapes = [
            tuple(t.shape for t in call.case.tensors.values() if t is not None) for call in calls
        ]
        calls = [call for call, shape in zip(calls, shapes, strict=True) if shape == shapes[0]]
        self._prepare(calls[0])
        once = self._round(calls[0])
        budget = int(_LONGEST_S * 1e6 / (sum(once.values()) + 1))
        rounds = max(2, min(_ROUNDS.get(self._profile.name, _USUAL_ROUNDS), budget))
        for i in range(rounds):
            took = self._round(calls[i % len(calls)])
            times.baseline_us.append(took["baseline"])
            times.candidate_us.append(took["candidate"])

    def _prepare(self, call: Sent) -> None:
        baseline = next(iter(self._contract.baselines.values()))
        q = call.case.tensors["q"]
        like = [torch.empty_like(q)] if q is not None else []
        for name in ("baseline", "candidate"):
            target = self._operator.target if name == "candidate" else baseline
            with self._floor(name):
                self._children[name].prepare(self._contract.id, target, call.case, like)

    def _round(self, call: Sent) -> dict[str, float]:
        """Give each its turn at one call; the microseconds of each."""
        names = ["baseline", "candidate"]
        self._source.shuffle(names)
        took = {}
        for name in names:
            child = self._children[name]
            if (buffers := child.buffers) is None:
                raise RuntimeError("a call needs a prepared child")
            packed = image(buffers.in_plan, call.case.tensors)
            with self._floor(name), child.armed():
                took[name] = child.call(packed, self._profile.call_s)
                results = buffers.results()
                stray = buffers.strays(packed)
            if name == "candidate" and stray:
                raise Fell(Fault.ALIAS, stray)
            same = bits(results) == call.out_bits
            if name == "candidate" and self._operator.deterministic and not same:
                raise Broken(
                    f"timed at {call.length} tokens, it gave other bits than in the task",
                    code="REJECTED_QUALITY",
                )
        return took

    @contextlib.contextmanager
    def _floor(self, name: str) -> Iterator[None]:
        """Let the candidate run in its own turn only."""
        if name != "candidate":
            yield
            return
        self._parties[name].thaw()
        try:
            yield
        finally:
            if not self._children[name].fallen:
                self._parties[name].freeze()


def time_lengths(
    docket: Docket,
    parties: Mapping[str, Party],
    children: Mapping[str, Child],
    profile: Profile,
    source: random.Random,
) -> None:
    """Time the calls that the quality gate left in a docket; see `Cost`."""
    if docket.sent:
        cost = Cost(docket.operator, docket.answers.contract, parties, children, profile, source)
        cost.run(docket.sent, docket.lengths)


def pareto(rows: list[QualityRow], times: Mapping[int, Times]) -> list[ParetoPoint]:
    """Return a point for every length that was both asked and timed."""
    points = []
    for length, took in sorted(times.items()):
        worst = worst_of(rows, length)
        if worst is None or not took.candidate_us:
            continue
        points.append(
            ParetoPoint(
                length=length,
                retained=worst.retained,
                speedup=took.speedup,
                baseline_us=statistics.median(took.baseline_us),
                candidate_us=statistics.median(took.candidate_us),
            )
        )
    return points
