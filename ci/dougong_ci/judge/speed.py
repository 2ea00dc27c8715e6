"""Speed: interleaved rounds of baseline, candidate and a second copy of the baseline.

One restart is one fresh process of each. Within it every workload gets rounds; in a round each of
the three computes the same never-seen inputs, in an order drawn by the secret seed, while the
candidate is frozen whenever it is not its turn. A call is timed from the moment its inputs are
shown and the flag is raised to the moment its flag comes back with the results copied.

What is checked of timed calls: every output of the candidate against the baseline's output for the
same inputs, as closely as trusted implementations agree with the float64 golden (16 times their
distance, so that half the bits do not pass); and some, chosen at random after the call, against
the golden itself with the accuracy rule.

The first rounds are thrown away: in the ten calls after a start, equal processes were seen to
differ by 5 % in favour of the one that was warmed last. For the same reason no party has a fixed
place in any order. What else was found and removed stands in decision 0008.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import statistics
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from dougong.contracts.definition import Case, Cost
from dougong_ci.judge.answers import Answer, compared
from dougong_ci.judge.child import Child, Fell
from dougong_ci.judge.docket import Broken, Docket
from dougong_ci.judge.heats import Heat
from dougong_ci.judge.memory import LATE, numbered
from dougong_ci.judge.meter import Meter, Readings
from dougong_ci.judge.mixing import Mixer, Redrawer
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import Profile
from dougong_ci.report.verdict import SpeedCase
from dougong_ci.runner.protocol import Fault

GOLDEN_SHARE = 0.25
"""Chance that one timed output of a workload and restart is held to the float64 golden, and that
results are kept beyond their call once more; in the first restart both are certain."""
AGREEMENT = 16.0
"""How many times farther than trusted implementations are from the golden a timed output may be
from the baseline's. Half the bits are three orders of magnitude away."""
SLOWEST = 20.0
"""A candidate this much slower than the baseline on every workload is refused: nobody can use it,
and it would hold the queue."""
_LEAST_ROUNDS = 3
_MOST_CALLS = 64


@dataclasses.dataclass(frozen=True)
class Bench:
    """The three sandboxes of one restart: `baseline`, `control`, `candidate`."""

    parties: dict[str, Party]

    @property
    def candidate(self) -> Party:
        """The one with foreign code in it."""
        return self.parties["candidate"]

    def spawn(self, source: random.Random) -> dict[str, Child]:
        """Fork a fresh process of each, in any order."""
        order = source.sample(list(self.parties), len(self.parties))
        return {name: self.parties[name].spawn() for name in order}

    def drop(self) -> None:
        """Kill the three processes."""
        for party in self.parties.values():
            party.drop()


class Race:
    """One heat of one operator in one restart."""

    def __init__(
        self,
        docket: Docket,
        heat: Heat,
        bench: Bench,
        children: dict[str, Child],
        profile: Profile,
        source: random.Random,
    ) -> None:
        self._docket = docket
        self._heat = heat
        self._bench = bench
        self._children = children
        self._profile = profile
        self._source = source
        self._contract = docket.answers.contract
        self._meter = Meter(bench.parties)

    def run(self, restart: int) -> None:
        """Measure, and append the samples of this restart to the docket.

        Raises:
            Broken: a timed output was wrong, or the candidate computed outside its turn.
            Fell: the candidate fell.
        """
        answers, heat = self._docket.answers, self._heat
        case = answers.shared(heat.workload, heat.dtype, f"speed-{restart}-a")
        model = self._model()
        self._prepare(case, model)
        mixer = self._mixer(case, model, restart)
        limits = self._limits(model)
        calls, rounds, base_us = self._warm_up(mixer)
        times: dict[str, list[float]] = {name: [] for name in self._children}
        check_after = self._source.randrange(calls * rounds)
        chosen: list[tuple[Tensor, list[Tensor]]] = []
        with self._meter.reading():
            for index in range(rounds):
                packed = [mixer.draw() for _ in range(calls)]
                outputs = self._round(packed, times)
                for i, results in enumerate(outputs["candidate"]):
                    self._compare(limits, results, outputs["baseline"][i])
                    if index * calls + i == check_after:
                        chosen.append((packed[i], results))
                if index + 1 >= _LEAST_ROUNDS and times["candidate"][-1] > SLOWEST * 2 * base_us:
                    break
        if restart == 0 or self._source.random() < GOLDEN_SHARE:
            self._keep_two(mixer)
            if chosen:
                self._hold_to_golden(case, model, mixer, *chosen[0])
        readings = self._meter.readings()
        self._record(times, readings)
        if readings.trespass:
            raise Broken(f"{heat.workload.name}: {readings.trespass}", code="REJECTED_TAMPER")

    def _model(self) -> Answer:
        """Return an answer of the heat's kind, for the shapes and the agreement to expect."""
        answers, heat = self._docket.answers, self._heat
        if heat.mode == "train" and self._contract.family != "optimizer":
            answer = answers.backward(heat.workload, heat.dtype)
            if answer is None:
                raise RuntimeError(f"{heat.workload.name} has nothing to differentiate")
            return answer
        return answers.forward(heat.workload, heat.dtype)

    def _prepare(self, case: Case, model: Answer) -> None:
        """Bind each party's target to the case, in any order."""
        baseline = next(iter(self._contract.baselines.values()))
        self._bench.candidate.thaw()
        for name in self._shuffled():
            target = self._docket.operator.target if name == "candidate" else baseline
            self._children[name].prepare(
                self._contract.id,
                target,
                case,
                model.natives[0],
                model.flowing,
                compiled=self._heat.mode == "compiled",
            )
        self._bench.candidate.freeze()

    def _shuffled(self) -> list[str]:
        order = list(self._children)
        self._source.shuffle(order)
        return order

    def _mixer(self, case: Case, model: Answer, restart: int) -> Mixer:
        answers, heat, source = self._docket.answers, self._heat, self._source
        child = self._children["baseline"]
        flowing = numbered("flowing", model.flowing)
        mine = {**case.tensors, **flowing}
        if self._contract.equivalence == "exact":
            other = answers.shared(heat.workload, heat.dtype, f"speed-{restart}-b")
            return Mixer(mine, {**other.tensors, **flowing}, child, source)
        generate = self._contract.generate
        return Redrawer(
            mine,
            child,
            source,
            lambda seed: {**generate(heat.workload, seed, heat.dtype).tensors, **flowing},
        )

    def _warm_up(self, mixer: Mixer) -> tuple[int, int, float]:
        """Run rounds that do not count; fix calls a block and rounds from the baseline alone."""
        first = mixer.draw()
        for name in self._shuffled():
            with self._turn(name) as child:
                # A JIT may compile now, and nobody's time is taken.
                child.call(first, self._profile.prepare_s, timed=False)
        times: dict[str, list[float]] = {name: [] for name in self._children}
        for _ in range(self._profile.warmup_rounds):
            self._round([mixer.draw()], times)
        call_us = statistics.median(times["baseline"])
        calls = max(1, min(_MOST_CALLS, round(self._profile.block_us / call_us)))
        rounds = int(self._profile.workload_s * 1e6 / (3 * calls * call_us))
        return calls, max(_LEAST_ROUNDS, min(self._profile.rounds, rounds)), call_us

    @contextlib.contextmanager
    def _turn(self, name: str) -> Iterator[Child]:
        """Give one party the floor; the candidate runs only then."""
        child = self._children[name]
        if name != "candidate":
            with child.armed():
                yield child
            return
        with self._meter.turn():
            self._bench.candidate.thaw()
            try:
                with child.armed():
                    yield child
            finally:
                if not child.fallen:
                    self._bench.candidate.freeze()

    def _round(
        self, packed: Sequence[Tensor], times: dict[str, list[float]]
    ) -> dict[str, list[list[Tensor]]]:
        outputs: dict[str, list[list[Tensor]]] = {}
        for name in self._shuffled():
            kept: list[list[Tensor]] = []
            total_us = 0.0
            with self._turn(name) as child:
                for each in packed:
                    total_us += child.call(each, self._profile.call_s)
                    if child.buffers is None:
                        raise RuntimeError("a call left no buffers")
                    # Of all three: what the judge reads of a buffer moves between the cores'
                    # caches, and the next call over it was seen to be 2 % faster.
                    kept.append(child.buffers.results())
                    stray = child.buffers.strays(each)
                    if stray and name == "candidate":
                        raise Fell(Fault.TAMPER if stray == LATE else Fault.ALIAS, stray)
            times[name].append(total_us / len(packed))
            outputs[name] = kept
        return outputs

    def _compare(self, limits: list[float], found: list[Tensor], expected: list[Tensor]) -> None:
        for mine, theirs, limit in zip(found, expected, limits, strict=True):
            apart = float((mine.float() - theirs.float()).norm())
            size = float(theirs.float().norm())
            if not apart <= limit * size + 1e-30:
                raise Broken(
                    f"{self._heat.workload.name}: a timed output is wrong: {apart / size:.3g} of "
                    f"its size away from the baseline's, the limit is {limit:.3g}",
                    gate="accuracy",
                )

    def _limits(self, model: Answer) -> list[float]:
        """Return, for each output, the relative L2 distance to the baseline's that is allowed."""
        if (loose := self._contract.tolerance.max_relative_l2) is not None:
            return [2 * loose] * len(model.golden)
        return [
            AGREEMENT * max(_apart(native[i], golden) for native in model.natives)
            + 4 * torch.finfo(model.natives[0][i].dtype).eps
            for i, golden in enumerate(model.golden)
        ]

    def _keep_two(self, mixer: Mixer) -> None:
        """Keep the results of two calls, as the first did: memory may be used again since then."""
        with self._turn("candidate") as child:
            for packed in (mixer.draw(), mixer.draw()):
                child.call(packed, self._profile.call_s, timed=False)

    def _hold_to_golden(
        self, case: Case, model: Answer, mixer: Mixer, packed: Tensor, results: list[Tensor]
    ) -> None:
        """Compare one timed call with the float64 golden, by the accuracy rule."""
        heat, answers = self._heat, self._docket.answers
        shown = mixer.tensors(packed)
        flowing = tuple(shown.pop(name) for name in numbered("flowing", model.flowing))
        mixed = dataclasses.replace(case, tensors={**case.tensors, **shown})
        answer = answers.of(heat.workload, heat.dtype, mixed)
        if flowing:
            answer = answers.of_backward(answer, flowing)
        for i, output in enumerate(results):
            if wrong := compared(self._contract, answer, i, output).reason:
                raise Broken(
                    f"{heat.workload.name}: a timed output is wrong: {wrong}", gate="accuracy"
                )

    def _record(self, times: dict[str, list[float]], readings: Readings) -> None:
        workload, dtype = self._heat.workload, self._heat.dtype
        answers = self._docket.answers
        case = self._docket.speed.setdefault(
            self._heat.key,
            SpeedCase(
                workload=workload.name,
                params=dict(workload.params),
                dtype=str(dtype).removeprefix("torch."),
                mode=self._heat.mode,
                weight=workload.weight,
                baseline=next(iter(self._contract.baselines)),
                baseline_us=[],
                candidate_us=[],
                control_us=[],
                floor_us=answers.device.floor_us(self._least_cost()),
            ),
        )
        case.baseline_us.append(times["baseline"])
        case.candidate_us.append(times["candidate"])
        case.control_us.append(times["control"])
        readings.add_to(case)

    def _least_cost(self) -> Cost:
        cost = self._contract.cost(self._heat.workload, self._heat.dtype)
        if self._contract.equivalence == "exact":
            return cost
        # Leaving arithmetic out is what an approximation is for; its inputs it must still read.
        return Cost(flops=0.0, bytes=cost.bytes)


def _apart(value: Tensor, golden: Tensor) -> float:
    """Return the relative L2 distance over what is finite in both."""
    gold = golden.double()
    error = (value.double() - gold).nan_to_num(0.0, 0.0, 0.0)
    size = float(gold.nan_to_num(0.0, 0.0, 0.0).norm())
    return float(error.norm()) / size if size else 0.0
