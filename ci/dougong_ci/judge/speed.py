"""Speed: interleaved rounds of baseline, candidate and a second copy of the baseline.

One restart is one fresh process of each. Within it every workload gets rounds; in a round each of
the three computes the same never-seen inputs, in an order drawn by the secret seed, while the
candidate is frozen whenever it is not its turn. A call is timed from the moment its inputs are
shown and the flag is raised to the moment its flag comes back with the results copied.

What is checked of timed calls: every output of the candidate against the baseline's output for the
same inputs (a wrong or missing answer differs by orders of magnitude more than rounding), and a
random few, chosen after the call, against the float64 golden with the accuracy rule. Cheating on a
share f of calls is met by the second alone with probability 1 - (1 - f)^n over n checks.

The first rounds are thrown away: in the ten calls after a start, equal processes were seen to
differ by 5 % in favour of the one that was warmed last. For the same reason no party has a fixed
place in any order. What else was found and removed stands in decision 0008.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from dougong.contracts.definition import Case, Cost, Workload
from dougong_ci.judge import host
from dougong_ci.judge.answers import compared
from dougong_ci.judge.child import Child, Fell
from dougong_ci.judge.docket import Broken, Docket
from dougong_ci.judge.memory import image
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import Profile
from dougong_ci.report.verdict import SpeedCase
from dougong_ci.runner.protocol import Fault

GOLDEN_CHECKS = 2
"""Timed outputs a workload and restart that are held to the float64 golden."""
COARSE = 1e-3
"""Relative L2 distance to the baseline's output beyond which a timed float32 output is wrong."""
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
    """One workload of one operator in one restart."""

    def __init__(
        self,
        docket: Docket,
        bench: Bench,
        children: dict[str, Child],
        profile: Profile,
        source: random.Random,
    ) -> None:
        self._docket = docket
        self._bench = bench
        self._children = children
        self._profile = profile
        self._source = source
        self._contract = docket.answers.contract

    def run(self, workload: Workload, mode: str, restart: int) -> None:
        """Measure, and append the samples of this restart to the docket.

        Raises:
            Broken: a timed output was wrong.
            Fell: the candidate fell.
        """
        dtype = speed_dtype(self._docket)
        case = self._docket.answers.shared(workload, dtype, f"speed-{restart}-a")
        other = self._docket.answers.shared(workload, dtype, f"speed-{restart}-b")
        shaped = self._docket.answers.forward(workload, dtype).natives[0]
        self._prepare(case, shaped)
        mixer = self._mixer(workload, dtype, case, other)
        calls, rounds, base_us = self._warm_up(mixer)
        times: dict[str, list[float]] = {name: [] for name in self._children}
        check_after = {self._source.randrange(calls * rounds) for _ in range(GOLDEN_CHECKS)}
        chosen: list[tuple[Case, list[Tensor]]] = []
        for index in range(rounds):
            packed = [mixer.draw() for _ in range(calls)]
            outputs = self._round(packed, times)
            for i, results in enumerate(outputs["candidate"]):
                self._compare(workload, results, outputs["baseline"][i])
                if index * calls + i in check_after:
                    chosen.append((mixer.case(packed[i]), results))
            if index + 1 >= _LEAST_ROUNDS and times["candidate"][-1] > SLOWEST * 2 * base_us:
                break
        self._hold_to_golden(workload, dtype, chosen)
        self._record(workload, mode, times)

    def _prepare(self, case: Case, shaped: Sequence[Tensor]) -> None:
        """Bind each party's target to the case, in any order."""
        baseline = next(iter(self._contract.baselines.values()))
        self._bench.candidate.thaw()
        for name in self._shuffled():
            target = self._docket.operator.target if name == "candidate" else baseline
            self._children[name].prepare(self._contract.id, target, case, shaped)
        self._bench.candidate.freeze()

    def _shuffled(self) -> list[str]:
        order = list(self._children)
        self._source.shuffle(order)
        return order

    def _mixer(self, workload: Workload, dtype: torch.dtype, case: Case, other: Case) -> Mixer:
        child, source = self._children["baseline"], self._source
        if self._contract.equivalence == "exact":
            return Mixer(case, other, child, source)
        return Redrawer(
            case, child, source, lambda seed: self._contract.generate(workload, seed, dtype)
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
        if name == "candidate":
            self._bench.candidate.thaw()
        try:
            with child.armed():
                yield child
        finally:
            if name == "candidate" and not child.fallen:
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
                        raise Fell(Fault.ALIAS, stray)
            times[name].append(total_us / len(packed))
            outputs[name] = kept
        return outputs

    def _compare(self, workload: Workload, found: list[Tensor], expected: list[Tensor]) -> None:
        limit = COARSE
        if (loose := self._contract.tolerance.max_relative_l2) is not None:
            limit = 2 * loose
        for mine, theirs in zip(found, expected, strict=True):
            apart = float((mine.float() - theirs.float()).norm())
            if not apart <= limit * float(theirs.float().norm()) + 1e-30:
                raise Broken(
                    f"{workload.name}: a timed output is wrong, {apart:.3g} away from the baseline",
                    gate="accuracy",
                )

    def _hold_to_golden(
        self, workload: Workload, dtype: torch.dtype, chosen: Sequence[tuple[Case, list[Tensor]]]
    ) -> None:
        """Compare chosen outputs with the float64 golden; the runner's core is idle meanwhile."""

        def held(pair: tuple[Case, list[Tensor]]) -> str:
            answer = self._docket.answers.of(workload, dtype, pair[0])
            found = (compared(self._contract, answer, i, out) for i, out in enumerate(pair[1]))
            return next((each.reason for each in found if not each.passed), "")

        with ThreadPoolExecutor(
            GOLDEN_CHECKS, initializer=torch.set_num_threads, initargs=(1,)
        ) as two:
            for wrong in two.map(held, chosen):
                if wrong:
                    raise Broken(
                        f"{workload.name}: a timed output is wrong: {wrong}", gate="accuracy"
                    )

    def _record(self, workload: Workload, mode: str, times: dict[str, list[float]]) -> None:
        dtype = speed_dtype(self._docket)
        case = self._docket.speed.setdefault(
            workload.name,
            SpeedCase(
                workload=workload.name,
                params=dict(workload.params),
                dtype=str(dtype).removeprefix("torch."),
                mode=mode,
                weight=workload.weight,
                baseline=next(iter(self._contract.baselines)),
                baseline_us=[],
                candidate_us=[],
                control_us=[],
                floor_us=host.floor_us(self._least_cost(workload, dtype)),
            ),
        )
        case.baseline_us.append(times["baseline"])
        case.candidate_us.append(times["candidate"])
        case.control_us.append(times["control"])

    def _least_cost(self, workload: Workload, dtype: torch.dtype) -> Cost:
        cost = self._contract.cost(workload, dtype)
        if self._contract.equivalence == "exact":
            return cost
        # Leaving arithmetic out is what an approximation is for; its inputs it must still read.
        return Cost(flops=0.0, bytes=cost.bytes)


class Mixer:
    """Never-seen inputs at the price of one pass over memory.

    x = a + w (b - a) with two secret draws a and b of the workload, b shifted by a random offset
    and w random: every element differs in every call. Tensors that are not finite floating point
    (masks, indices) stay as drawn.
    """

    def __init__(self, case: Case, other: Case, child: Child, source: random.Random) -> None:
        if child.buffers is None:
            raise RuntimeError("prepare a case before mixing it")
        self._case = case
        self._plan = child.buffers.in_plan
        self._source = source
        self._base = image(self._plan, case.tensors)
        doubled: dict[str, Tensor] = {}
        for name, slot in self._plan.slots.items():
            mine = slot.storage(self._base)
            theirs = other.tensors.get(name)
            if theirs is None or not mine.is_floating_point():
                continue
            flat = theirs.detach().contiguous().flatten()
            if flat.numel() == mine.numel() > 0 and _all_finite(mine) and _all_finite(flat):
                doubled[name] = torch.cat((flat, flat))
        self._doubled = doubled

    def draw(self) -> Tensor:
        """Return the bytes of one new call."""
        packed = self._base.clone()
        for name, twice in self._doubled.items():
            slot = self._plan.slots[name]
            mine = slot.storage(packed)
            offset = self._source.randrange(mine.numel())
            weight = self._source.uniform(0.3, 0.7)
            torch.lerp(mine, twice[offset : offset + mine.numel()], weight, out=mine)
        return packed

    def case(self, packed: Tensor) -> Case:
        """Return the case that those bytes hold."""
        tensors: dict[str, Tensor | None] = dict(self._case.tensors)
        for name, slot in self._plan.slots.items():
            if name in tensors:
                tensors[name] = slot.view(packed)
        return dataclasses.replace(self._case, tensors=tensors)


class Redrawer(Mixer):
    """Never-seen inputs drawn anew: what approximations rely on would not survive mixing."""

    def __init__(
        self, case: Case, child: Child, source: random.Random, generate: Callable[[int], Case]
    ) -> None:
        super().__init__(case, case, child, source)
        self._generate = generate

    def draw(self) -> Tensor:
        """Return the bytes of one new call."""
        return image(self._plan, self._generate(self._source.getrandbits(48)).tensors)


def _all_finite(values: Tensor) -> bool:
    # Ten times faster than isfinite().all(): NaN comes out of both ends, infinity of one.
    return all(math.isfinite(float(end)) for end in torch.aminmax(values))


def speed_dtype(docket: Docket) -> torch.dtype:
    """Return float32 where the operator has it, otherwise its first dtype of the contract's."""
    names = [name for name in docket.answers.contract.dtypes if name in docket.operator.dtypes]
    name = "float32" if "float32" in names else names[0]
    found = getattr(torch, name)
    if not isinstance(found, torch.dtype):
        raise TypeError(f"{name} is not a torch dtype")
    return found
