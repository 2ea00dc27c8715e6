"""Call an implementation of our own in this process, by the rules of the runner."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from dougong.contracts import evaluate
from dougong.contracts.definition import Bound, Case, Contract
from dougong_ci.judge.answers import Answer
from dougong_ci.judge.child import Fell
from dougong_ci.runner.protocol import Fault

Bind = Callable[[Contract, Case], Bound]
"""(contract or exercise, case) -> callable over call tensors."""


class InProcess:
    """`Calls` of the correctness gates without a sandbox, for code that is trusted."""

    def __init__(self, bind: Bind) -> None:
        self._bind = bind
        self._bound: Bound | None = None

    def start(self) -> None:
        """Forget what was bound."""
        self._bound = None

    def bind(self, answer: Answer) -> None:
        """Bind the implementation to the case.

        Raises:
            Fell: it raised.
        """
        try:
            self._bound = self._bind(answer.contract, answer.case)
        except Exception as error:
            raise Fell(Fault.PREPARE, f"{type(error).__name__}: {error}") from error

    def outputs(self, answer: Answer, *, rebind: bool = True) -> list[Tensor]:
        """Run one call on copies of the inputs, in the memory layout of the case.

        Raises:
            Fell: it raised, changed an input, or gave other types or shapes than asked.
        """
        if rebind or self._bound is None:
            self.bind(answer)
        if (bound := self._bound) is None:
            raise RuntimeError("a call needs a bound implementation")
        tensors = copy.deepcopy(dict(answer.case.tensors))
        try:
            results = _run(bound, answer, tensors)
        except Exception as error:
            raise Fell(Fault.EXCEPTION, f"{type(error).__name__}: {error}") from error
        if changed := _changed(answer.case.tensors, tensors):
            raise Fell(Fault.ALIAS, f"changed its input {changed}")
        for result, native in zip(results, answer.natives[0], strict=True):
            if (result.dtype, result.shape) != (native.dtype, native.shape):
                raise Fell(Fault.SHAPE, f"must be {native.dtype} {tuple(native.shape)}")
        return [result.detach().clone() for result in results]

    def close(self) -> None:
        """Forget what was bound."""
        self._bound = None


def _run(bound: Bound, answer: Answer, tensors: Mapping[str, Tensor | None]) -> tuple[Tensor, ...]:
    if not answer.flowing:
        with torch.no_grad():
            return bound(tensors)
    case = Case(
        tensors=tensors, static=answer.case.static, differentiable=answer.case.differentiable
    )
    return tuple(evaluate.gradients(bound, case, answer.flowing).values())


def _changed(before: Mapping[str, Tensor | None], after: Mapping[str, Tensor | None]) -> str:
    for name, value in before.items():
        other = after[name]
        if value is None or other is None:
            continue
        same = (value == other) | ((value != value) & (other != other))
        if not bool(same.all()):
            return name
    return ""
