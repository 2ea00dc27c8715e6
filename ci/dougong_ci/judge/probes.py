"""Edges that the judge asks beyond the contract's own workloads.

They are edits of a small workload's values in the same memory, so that they cost one call each and
no preparation: nobody can tell by shape or layout that one is coming. What no trusted
implementation agrees on is not asked: an edge counts only where every baseline of the contract
itself meets the golden on it, non-finite values in the same places. That may be luck where a number
is the largest there is: as the weight of an element that is nearly zero it multiplies what any
arithmetic rounds there, and an honest operator was refused for having less luck than the baseline.
So such an edge counts only where the golden stays within its own cap when the inputs move by a few
roundings of float32, in which all dtypes up to it are computed.

An approximate contract is not asked for values that its approximation may spread (one infinite
activation takes the scale of a whole dynamically quantized tensor), only for the missing layouts.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from dougong.contracts.definition import Case, Contract, Workload
from dougong.contracts.sampling import LAYOUTS, draw, generator
from dougong_ci.judge import second
from dougong_ci.judge.answers import Answer, Answers, held

_ROUNDINGS = 2
"""About what an operator of a few operations makes of any one number."""
_BELOW_MOST = 0.125
_LARGEST = "largest"
_NARROW = (torch.float16, torch.bfloat16)
_BASES = 2
"""Workloads edited: the plainest of each set of features, up to this many."""
_MIXED = ("normal", "heavy", "sparse", "spikes", "sorted", "uniform", "shifted")
_LOGITS = 1.0e4
_NON_FINITE = {"nan": torch.nan, "inf": torch.inf, "minus-inf": -torch.inf}

Edit = Callable[[Case, int], Iterator[tuple[str, dict[str, Tensor]]]]
"""(case, seed) -> name of the edge and the call tensors to replace, any number of times."""


def edges(
    answers: Answers, workloads: Sequence[Workload], dtype: torch.dtype
) -> tuple[list[Answer], list[str]]:
    """Return the answers to the judge's own edges, and the names of those that are not asked.

    Args:
        answers: Of the contract.
        workloads: What the operator is asked for accuracy.
        dtype: Working dtype.

    Returns:
        Answers in an order in which only the first of each base needs a preparation.
    """
    bases = list(_bases(workloads))
    key = (",".join(work.name for work in bases), str(dtype), "edges")
    return answers.kept_extra(key, lambda: _made(answers, bases, dtype))


def _made(
    answers: Answers, bases: list[Workload], dtype: torch.dtype
) -> tuple[list[Answer], list[str]]:
    asked, refused = [], []
    for work, case in _cases(answers, bases, dtype):
        answer = answers.of(work, dtype, case)
        if _determined(answer) and _met_by_natives(answer) and _steady(answer):
            asked.append(answer)
        else:
            refused.append(work.name)
    return asked, refused


def _cases(
    answers: Answers, bases: list[Workload], dtype: torch.dtype
) -> Iterator[tuple[Workload, Case]]:
    contract = answers.contract
    # A layout is prepared anew, which may compile: in one dtype it says all it can.
    first = dtype == torch.float32
    if contract.equivalence == "exact":
        for work in bases:
            case = answers.forward(work, dtype).case
            for edit in EDITS:
                for name, tensors in edit(case, answers.seed("edge", edit.__name__, work.name)):
                    edited = dataclasses.replace(case, tensors={**case.tensors, **tensors})
                    yield dataclasses.replace(work, name=f"{work.name}+{name}"), edited
    for layout in missing_layouts(contract) if first else ():
        work = dataclasses.replace(bases[0], name=f"{bases[0].name}+{layout}", layout=layout)
        yield work, answers.case(work, dtype)


def missing_layouts(contract: Contract) -> list[str]:
    """Return the memory layouts that none of the contract's workloads has."""
    present = {work.layout for work in contract.workloads}
    return [layout for layout in LAYOUTS if layout not in present]


def _bases(workloads: Iterable[Workload]) -> Iterator[Workload]:
    seen: set[tuple[str, ...]] = set()
    for work in workloads:
        plain = work.layout == "contiguous" and "speed" not in work.purpose
        if plain and work.features not in seen and len(seen) < _BASES:
            seen.add(work.features)
            yield work


def _determined(answer: Answer) -> bool:
    """Say whether no NaN comes from inputs without one.

    0 times infinity in a formula says nothing of what the function is there: gelu(-inf) is NaN by
    the formula and 0 by the limit, and either will do.
    """
    given = any(t.isnan().any() for t in answer.case.tensors.values() if t is not None)
    return given or not any(golden.isnan().any() for golden in answer.golden)


def _met_by_natives(answer: Answer) -> bool:
    by_output = [list(natives) for natives in zip(*answer.natives, strict=True)]
    return all(
        held(answer.contract, answer, i, native, natives).passed
        for i, natives in enumerate(by_output)
        for native in natives
    )


def _steady(answer: Answer) -> bool:
    """Say whether inputs a few roundings away give a result within the cap around this one.

    Asked of the largest numbers only: a shifted row changes wholly when its inputs are rounded,
    but its mean is taken off exactly, by any operator worth its name.
    """
    contract = answer.contract
    if f"+{_LARGEST}" not in answer.workload.name:
        return True
    wide = {
        name: value.float() if value is not None and value.dtype in _NARROW else value
        for name, value in answer.case.tensors.items()
    }
    case = dataclasses.replace(answer.case, tensors=wide)
    moved = second.moved_natives(contract, case, (), answer.dtype, steps=_ROUNDINGS)
    return all(
        # Among the natives the moved one sets its own bar: what is left of the rule is the cap.
        held(contract, answer, i, y, [y]).passed
        for outputs in moved
        for i, y in enumerate(outputs)
    )


def _kinds(case: Case) -> dict[str, list[str]]:
    """Group the floating-point call tensors by what they are: p0, p1 are of one kind."""
    named = [name for name, t in case.tensors.items() if t is not None and t.is_floating_point()]
    named = [name for name in named if case.tensors[name].numel()]  # type: ignore[union-attr] # just held
    by_kind = itertools.groupby(sorted(named), lambda name: name.rstrip("0123456789_"))
    return {kind: list(names) for kind, names in by_kind}


def non_finite(case: Case, seed: int) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Plant a NaN, and in further calls an infinity, in one tensor of each kind."""
    for kind, names in _kinds(case).items():
        name = names[seed % len(names)]
        for label, value in _NON_FINITE.items():
            yield f"{label}-in-{kind}", {name: _planted(case, name, (value,), seed)}


def largest(case: Case, seed: int) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Plant the largest finite numbers in one tensor of each kind."""
    for kind, names in _kinds(case).items():
        name = names[seed % len(names)]
        most = torch.finfo(_tensor(case, name).dtype).max
        yield f"{_LARGEST}-in-{kind}", {name: _planted(case, name, (most, -most), seed)}


def subnormal(case: Case, seed: int) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Shrink one kind of tensor into the subnormal numbers, which must not be flushed to zero."""
    for kind, names in _kinds(case).items():
        values = {name: _tensor(case, name) for name in names}
        yield (
            f"subnormal-{kind}",
            {n: _sized(v, torch.finfo(v.dtype).smallest_normal / 2) for n, v in values.items()},
        )


def huge(case: Case, seed: int) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Stretch one kind of tensor to the edge of its range, where a product in between overflows.

    Not queries and keys: whether a logit is scaled before it overflows or after is nobody's rule.
    """
    for kind, names in _kinds(case).items():
        if kind in ("q", "k"):
            continue
        values = {name: _tensor(case, name) for name in names}
        yield (
            f"huge-{kind}",
            {n: _sized(v, torch.finfo(v.dtype).max * _BELOW_MOST) for n, v in values.items()},
        )


def _sized(value: Tensor, most: float) -> Tensor:
    """Scale a tensor to a largest magnitude."""
    size = float(value.abs().max()) or 1.0
    return _relaid((value.double() * (most / size)).to(value.dtype), value)


def mixed_rows(case: Case, seed: int) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Give every row of a tensor another structure, at the size it had."""
    for kind, names in _kinds(case).items():
        tensors = {}
        for name in names:
            value = _tensor(case, name)
            rows = value.double().clone().reshape(-1, value.shape[-1] if value.ndim else 1)
            if value.ndim < 2 or len(rows) < 2:
                continue
            size = rows.square().mean().sqrt()
            for i in range(len(rows)):
                source = generator(seed, name, str(i))
                row = draw(rows.shape[1:], _MIXED[(i + seed) % len(_MIXED)], source, torch.float64)
                rows[i] = row * (size / row.square().mean().sqrt().clamp_min(1e-12))
            tensors[name] = _relaid(rows.reshape(value.shape).to(value.dtype), value)
        if tensors:
            yield f"mixed-{kind}", tensors


def large_products(case: Case, seed: int) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Make products of queries and keys of up to ±1e4, of integers, so that they are exact."""
    if not {"q", "k"} <= set(case.tensors):
        return
    width = _tensor(case, "q").shape[-1]
    # The sum of D products of two integers up to n is about n**2 sqrt(D) / 3.
    most = max(2, round((3 * _LOGITS) ** 0.5))
    tensors = {}
    for name in ("q", "k"):
        value = _tensor(case, name)
        source = generator(seed, "products", name, str(width))
        whole = torch.randint(-most, most + 1, value.shape, generator=source).to(value.dtype)
        tensors[name] = _relaid(whole, value)
    yield "logits-1e4", tensors


EDITS: tuple[Edit, ...] = (non_finite, largest, huge, subnormal, mixed_rows, large_products)


def _tensor(case: Case, name: str) -> Tensor:
    value = case.tensors[name]
    if value is None:
        raise KeyError(f"the case has no tensor {name!r}")
    return value


def _planted(case: Case, name: str, values: tuple[float, ...], seed: int) -> Tensor:
    value = _tensor(case, name)
    flat = value.flatten().clone()
    source = generator(seed, "planted", name)
    for each in values:
        flat[int(torch.randint(len(flat), (1,), generator=source))] = each
    return _relaid(flat.reshape(value.shape), value)


def _relaid(values: Tensor, like: Tensor) -> Tensor:
    """Return the values in memory laid out exactly as `like`, which no two elements share."""
    storage = torch.zeros(like.untyped_storage().nbytes() // like.element_size(), dtype=like.dtype)
    view = storage.as_strided(like.shape, like.stride(), like.storage_offset())
    return view.copy_(values)
