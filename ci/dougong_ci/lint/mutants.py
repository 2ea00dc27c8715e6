"""Wrong implementations made from the contract's own baseline, so that a new contract gets them.

A mutant wraps the baseline after binding, where every contract looks alike: named tensors in,
outputs out. What cannot be wrong on a contract says why (`inapplicable`); it is shown, never
counted as killed.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from dougong.contracts.definition import Bound, Case, Contract
from dougong.operator import resolve
from dougong_ci.lint import rounding
from dougong_ci.lint.inprocess import Bind

Tensors = Mapping[str, Tensor | None]
SHARE = 0.05
"""Of the work, dropped."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mutant:
    """One wrong implementation."""

    name: str
    summary: str
    bind: Bind
    dtypes: tuple[str, ...] = ("float32",)
    may_be_admitted: bool = False
    """Whether an approximate contract may let it pass: it is less exact, or does less."""
    inapplicable: str = ""
    """Why it is no mistake on this contract; empty where it is one."""


def right(contract: Contract, case: Case) -> Bound:
    """Bind the contract's first baseline."""
    return contract.bind(resolve(next(iter(contract.baselines.values()))), case)


def reference(contract: Contract, case: Case) -> Bound:
    """Bind the contract's reference, whose steps are plain operations of torch."""
    return contract.bind(contract.reference, case)


def generic(contract: Contract, variant: str = "") -> Iterator[Mutant]:
    """Make every mutant that can be made from the baseline alone.

    Args:
        contract: Any.
        variant: Member of the contract, where it has several.
    """
    cases = [
        contract.generate(work, 1, torch.float32)
        for work in contract.workloads
        if "speed" not in work.purpose and (not variant or f"variant:{variant}" in work.features)
    ]
    for mutant in itertools.chain(
        [_outputs_changed("zeros", "returns zeros", torch.zeros_like)],
        [_input_copy(contract, cases)],
        _low_precision(contract, cases),
        _dropped(cases),
        _statics(cases),
        _misread(),
    ):
        yield dataclasses.replace(mutant, bind=_new_model_only(mutant.bind))


def _new_model_only(bind: Bind) -> Bind:
    """Leave the second output of a transform, the model that was given, as it should be."""

    def bound(contract: Contract, case: Case) -> Bound:
        wrong = bind(contract, case)
        if not case.static.get("with_original"):
            return wrong
        good = right(contract, case)
        return lambda tensors: (wrong(tensors)[0], *good(tensors)[1:])

    return bound


def _outputs_changed(
    name: str, summary: str, change: Callable[[Tensor], Tensor], **rest: Any
) -> Mutant:
    def bind(contract: Contract, case: Case) -> Bound:
        bound = right(contract, case)
        return lambda tensors: tuple(change(y) for y in bound(tensors))

    return Mutant(name=name, summary=summary, bind=bind, **rest)


def _inputs_changed(
    name: str, summary: str, change: Callable[[Tensor], Tensor], **rest: Any
) -> Mutant:
    """Return a mutant that computes rightly on other tensors; setup is changed alike."""

    def bind(contract: Contract, case: Case) -> Bound:
        setup = {key: change(value) for key, value in case.setup.items()}
        bound = right(contract, dataclasses.replace(case, setup=setup))
        return lambda tensors: bound(_each(tensors, change))

    return Mutant(name=name, summary=summary, bind=bind, **rest)


def _each(tensors: Tensors, change: Callable[[Tensor], Tensor]) -> dict[str, Tensor | None]:
    return {name: None if t is None else change(t) for name, t in tensors.items()}


def _input_copy(contract: Contract, cases: list[Case]) -> Mutant:
    def like(y: Tensor, tensors: Tensors, i: int) -> Tensor | None:
        found = [
            t
            for name, t in tensors.items()
            if t is not None and t.shape == y.shape and t.dtype == y.dtype
        ]
        return found[min(i, len(found) - 1)] if found else None

    def bind(contract: Contract, case: Case) -> Bound:
        bound = right(contract, case)

        def call(tensors: Tensors) -> tuple[Tensor, ...]:
            outputs = bound(tensors)
            copies = [like(y, tensors, i) for i, y in enumerate(outputs)]
            return tuple(
                y if c is None else c.clone() for y, c in zip(outputs, copies, strict=True)
            )

        return call

    with torch.no_grad():
        fits = any(
            like(y, case.tensors, 0) is not None
            for case in cases[:4]
            for y in right(contract, case)(case.tensors)
        )
    reason = "" if fits else "no input has the shape of an output"
    return Mutant(
        name="input-copy", summary="returns an input as it is", bind=bind, inapplicable=reason
    )


def _low_precision(contract: Contract, cases: list[Case]) -> Iterator[Mutant]:
    for dtype in (torch.bfloat16, torch.float16):
        short = str(dtype).removeprefix("torch.")
        yield Mutant(
            name=f"downcast-{short}",
            summary=f"computes all of float32 in {short}",
            bind=_downcast(dtype),
            may_be_admitted=True,
        )
    if "float64" in contract.dtypes:
        yield Mutant(
            name="downcast-float32",
            summary="computes all of float64 in float32",
            bind=_downcast(torch.float32),
            dtypes=("float64",),
            may_be_admitted=True,
        )
    yield _inputs_changed(
        "tf32",
        "reads float32 with the 10 bits of mantissa of TF32",
        rounding.to_tf32,
        may_be_admitted=True,
    )
    yield Mutant(
        name="intermediates-bfloat16",
        summary="rounds every intermediate result to bfloat16",
        bind=_rounded(rounding.EVERYTHING),
        may_be_admitted=True,
    )
    reduces = any(rounding.reduces(reference, contract, case) for case in cases[:6])
    yield Mutant(
        name="reductions-bfloat16",
        summary="rounds the result of every reduction and product of matrices to bfloat16",
        bind=_rounded(rounding.REDUCTIONS),
        may_be_admitted=True,
        inapplicable="" if reduces else "the reference reduces nothing",
    )


def _downcast(dtype: torch.dtype) -> Bind:
    def low(value: Tensor) -> Tensor:
        return value.to(dtype) if value.is_floating_point() else value

    def bind(contract: Contract, case: Case) -> Bound:
        setup = {name: low(value) for name, value in case.setup.items()}
        bound = right(contract, dataclasses.replace(case, setup=setup))

        def call(tensors: Tensors) -> tuple[Tensor, ...]:
            wide = next(t.dtype for t in tensors.values() if t is not None)
            return tuple(y.to(wide) for y in bound(_each(tensors, low)))

        return call

    return bind


def _rounded(which: rounding.Operations) -> Bind:
    def bind(contract: Contract, case: Case) -> Bound:
        bound = reference(contract, case)

        def call(tensors: Tensors) -> tuple[Tensor, ...]:
            with rounding.Rounding(which):
                return bound(tensors)

        return call

    return bind


def _dropped(cases: list[Case]) -> Iterator[Mutant]:
    places = {"rows": -2, "features": -1, "batch": 0}
    for what, axis in places.items():
        yield _outputs_changed(
            f"drop-output-{what}",
            f"leaves the last 5 % of the output's {what} zero",
            lambda y, axis=axis: without_tail(y, axis),  # type: ignore[misc] # bound per loop
        )
        yield _inputs_changed(
            f"drop-input-{what}",
            f"takes the last 5 % of each input's {what} for zero",
            lambda t, axis=axis: without_tail(t, axis),  # type: ignore[misc] # bound per loop
            may_be_admitted=True,
        )
    several = any(sum(t is not None for t in case.tensors.values()) > 1 for case in cases)
    yield Mutant(
        name="drop-last-tensor",
        summary="takes the last input tensor for zeros",
        bind=_without_last,
        may_be_admitted=True,
        inapplicable="" if several else "there is one input tensor, and zeros is a mutant already",
    )


def _without_last(contract: Contract, case: Case) -> Bound:
    bound = right(contract, case)

    def call(tensors: Tensors) -> tuple[Tensor, ...]:
        floats = [n for n, t in tensors.items() if t is not None and t.is_floating_point()]
        last = tensors[floats[-1]]
        return bound({**tensors, floats[-1]: None if last is None else torch.zeros_like(last)})

    return call


def without_tail(value: Tensor, axis: int) -> Tensor:
    """Return a copy with the last 5 % along an axis, at least one entry, set to zero.

    Where there are fewer than three entries it stays as it is: half of them is no small part.
    """
    if value.ndim < (abs(axis) if axis else 1) or value.shape[axis] < 3:
        return value
    count = max(1, round(SHARE * value.shape[axis]))
    changed = value.clone()
    changed.narrow(axis, value.shape[axis] - count, count).zero_()
    return changed


def _statics(cases: list[Case]) -> Iterator[Mutant]:
    names = {name for case in cases for name in _numbers(case.static)}
    for change, summary, factor in (
        ("eps-x10", "takes ten times the eps", 10.0),
        ("eps-left-out", "takes no eps", 0.0),
    ):
        yield Mutant(
            name=change,
            summary=summary,
            bind=_with_static("eps", factor),
            inapplicable="" if "eps" in names else "the contract has no eps",
        )
    for name in sorted(names - {"eps"}):
        yield Mutant(
            name=f"{name}-x1.1",
            summary=f"takes {name} a tenth too large (or one short of 1 a tenth nearer to it)",
            bind=_with_static(name, 1.1),
        )


def _numbers(static: Mapping[str, Any]) -> Iterator[str]:
    for name, value in static.items():
        if isinstance(value, Mapping):
            yield from _numbers(value)
        elif _is_factor(value):
            yield name


def _is_factor(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(each, float) for each in value)
    return isinstance(value, float)


def _with_static(name: str, factor: float) -> Bind:
    def changed(value: Any) -> Any:
        if isinstance(value, list):
            return [changed(each) for each in value]
        # Averaging factors must stay below 1.
        return 1 - (1 - value) / factor if 0.5 <= value < 1 and factor else value * factor

    def edited(static: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: edited(value)
            if isinstance(value, Mapping)
            else changed(value)
            if key == name and _is_factor(value)
            else value
            for key, value in static.items()
        }

    def bind(contract: Contract, case: Case) -> Bound:
        return right(contract, dataclasses.replace(case, static=edited(case.static)))

    return bind


def _misread() -> Iterator[Mutant]:
    yield _inputs_changed(
        "strides-ignored", "reads its inputs as if they were contiguous", _as_contiguous
    )
    yield _inputs_changed(
        "offset-ignored", "reads its inputs from the beginning of their memory", _from_the_start
    )


def _as_contiguous(value: Tensor) -> Tensor:
    flat = _memory(value)
    if not len(flat):
        return value
    at = (torch.arange(value.numel()) + value.storage_offset()) % len(flat)
    return flat[at].reshape(value.shape)


def _from_the_start(value: Tensor) -> Tensor:
    return _memory(value).as_strided(value.shape, value.stride(), 0).clone()


def _memory(value: Tensor) -> Tensor:
    size = value.untyped_storage().nbytes() // value.element_size()
    return value.detach().as_strided((size,), (1,), 0)
