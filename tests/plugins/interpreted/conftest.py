"""What the interpreter has time for: it runs a program a row, in Python."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
from triton import language
from triton.runtime import interpreter

from dougong import contracts
from dougong.contracts.definition import Case
from dougong.operator import Operator
from dougong_plugins.triton import rows

ELEMENTS = 20_000
PROGRAMS = 8


@pytest.fixture
def largest() -> float:
    return ELEMENTS


def _shortened(case: Case) -> Case:
    tensors = {
        name: x[:1] if x is not None and x.ndim > 1 else x for name, x in case.tensors.items()
    }
    return dataclasses.replace(case, tensors=tensors)


@pytest.fixture
def shortened() -> Callable[[Case], Case]:
    """Keep the first of the outermost dimension: a row knows nothing of the others."""
    return _shortened


@pytest.fixture(autouse=True)
def _several_rows_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of fewer rows than on a device, too, a program of the norms' gradient takes several."""
    monkeypatch.setattr(rows, "_PROGRAMS", PROGRAMS)


@pytest.fixture(scope="session", autouse=True)
def _patched_once_a_launch() -> Iterator[None]:
    """Spare the interpreter what it repeats at every call of a function like `tl.sum`.

    Whatever function a program calls, the interpreter goes through all names of the language and
    puts its own in their place, which the launch has done before.
    """
    if not hasattr(interpreter, "_LangPatchScope"):  # a Triton that does it in another way
        yield
        return
    whole, core, done = interpreter._patch_lang, language.core, set[ModuleType]()

    def once(fn: Any) -> Any:
        seen = {each for each in fn.__globals__.values() if each is language or each is core}
        if seen and seen <= done:
            return interpreter._LangPatchScope()
        is_launch, scope = not done, whole(fn)
        done.update(seen)
        if is_launch:
            undo = scope.restore
            scope.restore = lambda: (undo(), done.clear())
        return scope

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpreter, "_patch_lang", once)
        yield


@pytest.fixture(autouse=True)
def _enough(request: pytest.FixtureRequest, elements: Callable[[Case], int]) -> None:
    """Of a contract that is checked, half of the workloads at least must be small enough."""
    if "operator" not in request.fixturenames:
        return
    operator: Operator = request.getfixturevalue("operator")
    contract = contracts.contract(operator.contract)
    asked = contract.select("accuracy", contract.features_of(operator))
    cases = [_shortened(contract.generate(work, 1, torch.float32)) for work in asked]
    met = [case for case in cases if elements(case) <= ELEMENTS]
    assert len(met) * 2 >= len(asked), f"{len(met)} of {len(asked)} workloads are met"
