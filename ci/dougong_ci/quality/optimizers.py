"""What an optimizer trains, beside plain momentum: loss, steps and time to a target, memory.

Every lesson (`dougong_ci.quality.learning`) is trained from several starts. The operator gets
gradients and gives parameters, a step a call; the judge holds data and loss, looks at what is held
out, and holds the clock. The steps of the first start are timed, of the optimizer alone; time to
target is the sum of as many of them as each start took. The target of a start is the loss at which
the contract's own momentum has gone `FLOOR` of its way, and an operator passes that goes as far in
the mean over starts.

One more row turns the gradients round: who learns all the same does not learn from gradients.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import statistics
import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dougong.contracts.definition import Case
from dougong.contracts.optimizer.train import momentum_torch
from dougong_ci.judge.child import Child, Fell
from dougong_ci.judge.docket import Docket
from dougong_ci.judge.memory import image
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import Profile
from dougong_ci.quality.learning import DIGITS, LESSONS, Lesson, Params, Run, gradients
from dougong_ci.report.means import mean_of
from dougong_ci.report.verdict import QualityRow
from dougong_ci.runner.descent import READ, STEP
from dougong_ci.runner.protocol import Fault

FLOOR = 0.9
"""Share of the way of momentum, from the first loss to its last."""
EXERCISE = "#descent"
_STARTS = {"full": 8}
_USUAL_STARTS = 3
_TURNED_STEPS = 40
_UNLEARNT = 0.1
"""Nats by which the loss may fall under gradients turned round."""
_WORST = 1e6
"""Stands for a loss that is not finite."""
_ONE_CLOCK = threading.Lock()
"""Two lanes that train side by side would slow each other on the clock."""


@dataclasses.dataclass(frozen=True)
class Learnt:
    """What came of one training."""

    losses: list[float]
    """Held out, at every look; the first is before the first step."""
    took_us: list[float]
    """Of every step, by the judge's clock; empty where it was not timed."""
    state_share: float
    """Bytes of state for each byte of parameters, as the operator's process sums them up."""


@dataclasses.dataclass(frozen=True)
class Lead:
    """One start of a lesson and what momentum makes of it."""

    run: Run
    losses: list[float]

    @property
    def target(self) -> float:
        """Return the loss that is to be reached."""
        return self.losses[0] - FLOOR * (self.losses[0] - self.losses[-1])


def _loss(run: Run, params: Params) -> float:
    with torch.no_grad():
        loss = float(run.held_out(params))
    return min(loss, _WORST) if math.isfinite(loss) else _WORST


@functools.lru_cache(maxsize=64)
def lead(lesson: Lesson, seed: int) -> Lead:
    """Train one start by the contract's momentum, in this process."""
    run = lesson.draw(seed)
    params = [p.clone().requires_grad_() for p in run.start]
    optimizer = momentum_torch(params)
    losses = [_loss(run, params)]
    for step in range(lesson.steps):
        for p, gradient in zip(params, gradients(run, params, step), strict=True):
            p.grad = gradient
        optimizer.step()
        if (step + 1) % lesson.every == 0:
            losses.append(_loss(run, params))
    return Lead(run, losses)


class OptimizerQuality:
    """The rows of one optimizer, each training in a fresh process of the candidate's sandbox."""

    def __init__(self, docket: Docket, party: Party, profile: Profile) -> None:
        self._docket, self._party, self._profile = docket, party, profile

    def rows(self) -> list[QualityRow]:
        """Train every lesson from every start, and once with the gradients turned round.

        Raises:
            Fell: the operator fell.
        """
        starts = _STARTS.get(self._profile.name, _USUAL_STARTS)
        found = []
        for lesson in LESSONS:
            leads = [lead(lesson, self._seed(lesson, i)) for i in range(starts)]
            # The first is timed; the others leave the core to the operator while they wait.
            learnt = [self._train(lesson, each.run, i, timed=not i) for i, each in enumerate(leads)]
            found.append(row(lesson, leads, learnt))
        return [*found, self._turned()]

    def _seed(self, lesson: Lesson, i: int) -> int:
        return self._docket.answers.seed("lesson", lesson.name, str(i))

    def _turned(self) -> QualityRow:
        run = lead(DIGITS, self._seed(DIGITS, 0)).run
        lesson = dataclasses.replace(DIGITS, steps=_TURNED_STEPS, every=_TURNED_STEPS)
        losses = self._train(lesson, run, 0, sign=-1.0).losses
        passed = losses[-1] >= losses[0] - _UNLEARNT
        return QualityRow(
            task="turned",
            params={"steps": lesson.steps, "lesson": DIGITS.name},
            metric="nats",
            exact=losses[0],
            candidate=losses[-1],
            retained=float(passed),
            floor=1.0,
            passed=passed,
            reason=""
            if passed
            else (
                f"with its gradients turned round the loss must not fall by more than {_UNLEARNT:g}"
                f", got {losses[0]:.3g} to {losses[-1]:.3g}: it does not learn from gradients"
            ),
        )

    def _train(
        self, lesson: Lesson, run: Run, start: int, *, sign: float = 1.0, timed: bool = False
    ) -> Learnt:
        params, losses, took_us, share = list(run.start), [_loss(run, run.start)], [], 0.0
        child = self._party.spawn()
        with _ONE_CLOCK if timed else contextlib.nullcontext():
            walker = Walker(self._docket, child, self._profile, run, start)
            # Awake all the while: to be woken for every step takes longer than most steps.
            with child.armed(patient=not timed):
                for step in range(lesson.steps):
                    found = gradients(run, params, step)
                    params, us = walker.step([sign * g for g in found], timed=timed)
                    took_us += [us] if timed else []
                    if (step + 1) % lesson.every == 0:
                        read, share = walker.read()
                        losses.append(_loss(run, read))
                        if losses[-1] >= _WORST:
                            break
        missing = 1 + lesson.steps // lesson.every - len(losses)
        return Learnt(losses + missing * [_WORST], took_us, share)


class Walker:
    """One optimizer in the sandbox, one step a call; its process must be armed for them."""

    def __init__(
        self, docket: Docket, child: Child, profile: Profile, run: Run, start: int
    ) -> None:
        """Prepare it with the start.

        Raises:
            Fell: it cannot be made.
        """
        self._child, self._limit_s = child, profile.call_s
        self._gradients: dict[str, Tensor | None] = {
            f"g{i}": torch.zeros_like(p) for i, p in enumerate(run.start)
        }
        case = Case(
            tensors={**self._gradients, "act": torch.tensor(STEP)},
            static={"seed": start},
            setup={f"p{i}": p for i, p in enumerate(run.start)},
        )
        like = [*run.start, torch.zeros((), dtype=torch.float64)]
        contract = docket.answers.contract.id + EXERCISE
        self._buffers = child.prepare(contract, docket.operator.target, case, like)

    def step(self, found: list[Tensor], *, timed: bool) -> tuple[Params, float]:
        """Hand over gradients; return the parameters and the microseconds it took.

        Raises:
            Fell: the step failed, or wrote where it may not.
        """
        self._gradients = {f"g{i}": g for i, g in enumerate(found)}
        took_us = self._call(STEP, timed=timed)
        return self._buffers.results()[:-1], took_us

    def read(self) -> tuple[Params, float]:
        """Return the parameters to be evaluated, and bytes of state for each byte of them."""
        self._call(READ, timed=False)
        *params, share = self._buffers.results()
        return params, float(share.nan_to_num())

    def _call(self, act: int, *, timed: bool) -> float:
        packed = image(self._buffers.in_plan, {**self._gradients, "act": torch.tensor(act)})
        took_us = self._child.call(packed, self._limit_s, timed=timed)
        if stray := self._buffers.strays(packed):
            raise Fell(Fault.ALIAS, stray)
        return took_us


def row(lesson: Lesson, leads: Sequence[Lead], learnt: Sequence[Learnt]) -> QualityRow:
    """Return the row of one lesson: the mean way gone, and everything measured beside it.

    Args:
        lesson: What was learnt.
        leads: What momentum made of each start.
        learnt: What the operator made of it, in the same order.
    """
    ways = [_way(led, each) for led, each in zip(leads, learnt, strict=True)]
    final = [each.losses[-1] for each in learnt]
    steps = [_steps(lesson, led.target, each) for led, each in zip(leads, learnt, strict=True)]
    took_us = learnt[0].took_us
    ms = [None if count is None else sum(took_us[:count]) / 1e3 for count in steps]
    retained = max(0.0, min(1.0, statistics.fmean(ways)))
    passed = retained >= FLOOR
    return QualityRow(
        task=lesson.name,
        params={
            "steps": lesson.steps,
            "every": lesson.every,
            "starts": len(learnt),
            "target": [led.target for led in leads],
            "final_loss": _measured(final),
            "steps_to_target": _measured(steps),
            "ms_to_target": _measured(ms),
            "step_us": statistics.median(took_us),
            "state_bytes_per_parameter_byte": learnt[-1].state_share,
            "losses": [
                statistics.fmean(at) for at in zip(*(x.losses for x in learnt), strict=True)
            ],
        },
        metric="nats_per_byte" if lesson.name == "text" else "nats",
        exact=statistics.fmean(led.losses[-1] for led in leads),
        candidate=statistics.fmean(final),
        retained=retained,
        floor=FLOOR,
        passed=passed,
        reason=""
        if passed
        else f"{lesson.name}: must go {FLOOR:g} of the way of momentum, got {retained:.2f}",
    )


def _way(one: Lead, learnt: Learnt) -> float:
    """Return how far a training came, as a share of the way of momentum; at most 1, 0 if worse."""
    first, last = one.losses[0], one.losses[-1]
    return max(0.0, min(1.0, (first - learnt.losses[-1]) / (first - last)))


def _steps(lesson: Lesson, target: float, learnt: Learnt) -> int | None:
    """Return after how many steps the target was first seen to be reached, or None."""
    looks = (i * lesson.every for i, loss in enumerate(learnt.losses) if loss <= target)
    return next(looks, None)


def _measured(values: Sequence[float | None]) -> dict[str, Any]:
    """Return the values by start, their mean and its 95 % interval; of those that were reached."""
    return {"values": list(values), **dataclasses.asdict(mean_of(values))}
