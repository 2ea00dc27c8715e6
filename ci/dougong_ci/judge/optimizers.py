"""What the judge asks of an optimizer beyond `optimizer.step@1`: see `dougong_ci.runner.training`.

Parameter groups, a schedule and missing gradients have one right answer, and are held to the
contract's accuracy rule. Training is held to a band: over 200 steps float32 and float64 drift apart
in any implementation (a sign that flips, a bfloat16 iteration), so that the loss curve may be off
by `BAND` in relative L2, or by three times what the trusted implementation is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.definition import Case, Scalar, Workload
from dougong.contracts.optimizer.inputs import HYPERPARAMETERS
from dougong.contracts.sampling import generator
from dougong_ci.judge.answers import Answer, Answers
from dougong_ci.runner import exercises

EXERCISE = "optimizer.step@1#training"
STEPS = 200
CHECKPOINTS = 20
BAND = 0.02
"""Relative L2 of the loss curve; a rate that is 5 % off already shows more."""
RATES = {"adamw": 2e-2, "sgd-momentum": 2e-2, "lion": 4e-3, "muon": 2e-2, "adafactor": 2e-2}
"""Rates that train the objectives to a fraction of their first loss within the steps."""
_LAYERS = {"quadratic": "12x6,6x9", "mlp": "16x8,4x16"}


def exact_steps(answers: Answers, variant: str, dtype: torch.dtype) -> list[Answer]:
    """Return the answers on groups, schedules and missing gradients, for the accuracy rule."""
    key = (variant, str(dtype), "exact-steps")
    return answers.kept_extra(key, lambda: (list(_exact(answers, variant, dtype)), []))[0]


def trained(answers: Answers, variant: str, dtype: torch.dtype) -> list[Answer]:
    """Return the loss curves of both objectives, each with its band as the tolerance."""
    key = (variant, str(dtype), "trained")
    return answers.kept_extra(key, lambda: (list(_trained(answers, variant, dtype)), []))[0]


def state_share(answers: Answers, variant: str, dtype: torch.dtype) -> Answer:
    """Return the call that sums up optimizer state, as bytes for each byte of parameters."""
    key = (variant, str(dtype), "state")

    def make() -> tuple[list[Answer], list[str]]:
        work = _base(answers, variant)
        return [_exercise(answers, work, dtype, "state", measure="state", steps=1)], []

    return answers.kept_extra(key, make)[0][0]


def _base(answers: Answers, variant: str) -> Workload:
    """Return the contract's workload with weight decay over several layers."""
    return next(w for w in answers.contract.workloads if w.name == f"{variant}-decayed")


def _exact(answers: Answers, variant: str, dtype: torch.dtype) -> Iterator[Answer]:
    work = _base(answers, variant)
    count = len(str(work.params["shapes"]).split(","))
    steps = int(str(work.params["steps"]))
    last = count - 1
    halves = [list(range(last)), [last]]
    yield _exercise(answers, work, dtype, "groups", groups=halves, group_factor=0.25)
    yield _exercise(answers, work, dtype, "schedule", factors=[0.5**i for i in range(steps)])
    # A parameter that never has a gradient, and one that misses one in the middle.
    absent = [[step, last] for step in range(steps)] + [[1, 0]]
    yield _exercise(answers, work, dtype, "absent-gradients", absent=absent)


def _exercise(
    answers: Answers, work: Workload, dtype: torch.dtype, name: str, **static: Any
) -> Answer:
    case = answers.case(work, dtype)
    edited = dataclasses.replace(case, static={**case.static, **static})
    named = dataclasses.replace(work, name=f"{work.name}+{name}")
    return answers.of(named, dtype, edited, exercises.contract(EXERCISE))


def _trained(answers: Answers, variant: str, dtype: torch.dtype) -> Iterator[Answer]:
    for objective, draw in _DRAW.items():
        seed = answers.seed("training", variant, objective)
        params: dict[str, Scalar] = {
            "variant": variant,
            "shapes": _LAYERS[objective],
            "setting": "plain",
            "steps": STEPS,
        }
        work = Workload(name=f"{variant}-{STEPS}-steps-{objective}", params=params)
        hyperparameters = {**HYPERPARAMETERS[variant]["plain"], "lr": RATES[variant]}
        case = Case(
            tensors={name: t.to(dtype) for name, t in draw(seed).items()},
            static={
                "variant": variant,
                "hyperparameters": hyperparameters,
                "steps": STEPS,
                "objective": objective,
                "checkpoints": CHECKPOINTS,
            },
        )
        answer = answers.of(work, dtype, case, exercises.contract(EXERCISE))
        yield dataclasses.replace(answer, contract=_banded(answer))


def _banded(answer: Answer) -> Any:
    golden = answer.golden[0]
    native = max(float((n[0].double() - golden).norm()) for n in answer.natives)
    band = max(BAND, 3 * native / float(golden.norm()))
    return dataclasses.replace(answer.contract, tolerance=Tolerance(max_relative_l2=band))


def _shapes(objective: str) -> list[tuple[int, ...]]:
    return [tuple(map(int, text.split("x"))) for text in _LAYERS[objective].split(",")]


def _normal(seed: int, name: str, shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=generator(seed, name), dtype=torch.float64)


def _quadratic(seed: int) -> dict[str, Tensor]:
    """Draw a start, targets, and curvatures from 0.1 to 1."""
    tensors = {}
    for i, shape in enumerate(_shapes("quadratic")):
        tensors[f"p{i}"] = 0.5 * _normal(seed, f"p{i}", shape)
        tensors[f"t{i}"] = 0.5 * _normal(seed, f"t{i}", shape)
        uniform = torch.rand(shape, generator=generator(seed, f"a{i}"), dtype=torch.float64)
        tensors[f"a{i}"] = 10 ** (uniform - 1)
    return tensors


def _mlp(seed: int) -> dict[str, Tensor]:
    """Draw a start and 64 samples of another network of the same kind."""
    first, second = _shapes("mlp")
    x = _normal(seed, "x", (64, first[1]))
    teacher = _normal(seed, "teacher-0", first) / first[1] ** 0.5
    head = _normal(seed, "teacher-1", second) / second[1] ** 0.5
    return {
        "p0": _normal(seed, "p0", first) / first[1] ** 0.5,
        "p1": _normal(seed, "p1", second) / second[1] ** 0.5,
        "x": x,
        "y": torch.tanh(x @ teacher.mT) @ head.mT,
    }


_DRAW: dict[str, Callable[[int], dict[str, Tensor]]] = {"quadratic": _quadratic, "mlp": _mlp}
