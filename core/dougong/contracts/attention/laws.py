"""Laws of attention, exact or not: what must hold whatever the arithmetic.

Shape suffixes as in `dougong.contracts.attention.exact`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dougong.contracts.attention.masks import visible
from dougong.contracts.definition import Case, Law
from dougong.contracts.laws import apart, edited, tensor_of
from dougong.contracts.sampling import generator

Outputs = tuple[Tensor, ...]


def _seen(case: Case) -> Tensor:
    """Return which keys each query sees, shape (B, H, T, S)."""
    q_BHTD, k_BKSD = tensor_of(case, "q"), tensor_of(case, "k")
    B, H, T, _ = q_BHTD.shape
    S = k_BKSD.shape[2]
    seen = visible(case.tensors["mask"], bool(case.static["is_causal"]), T, S)
    seen = torch.ones(T, S, dtype=torch.bool) if seen is None else seen
    return seen.expand(B, H, T, S)


def _permuted(case: Case, seed: int) -> Case | None:
    k, v = tensor_of(case, "k"), tensor_of(case, "v")
    if case.tensors["mask"] is not None or case.static["is_causal"] or k.shape[2] < 2:
        return None
    order = torch.randperm(k.shape[2], generator=generator(seed, "order"))
    return edited(case, k=k[:, :, order], v=v[:, :, order])


def _unmoved(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    # Another order of summation: the products' rounding grows with their size.
    return apart(outputs[0], found[0], ulps=64, what="attention over keys in another order")


def _other_end(case: Case, seed: int) -> Case | None:
    if not case.static["is_causal"] or tensor_of(case, "q").shape[2] < 2:
        return None
    tensors = {}
    for name in ("k", "v"):
        value = tensor_of(case, name).clone()
        last = value[:, :, -1]
        noise = torch.randn(last.shape, generator=generator(seed, name), dtype=torch.float64)
        value[:, :, -1] = (3 * noise).to(value.dtype)
        tensors[name] = value
    return edited(case, **tensors)


def _past_kept(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    blind = ~_seen(case)[..., -1]
    return _rows_equal(outputs[0], found[0], blind, "the last key and value")


def _huge_value(case: Case, seed: int) -> Case | None:
    hidden = ~_seen(case)
    columns = hidden.any(2).all(0).all(0).nonzero().flatten()
    if len(columns) == 0:
        return None
    at = int(columns[int(torch.randint(len(columns), (1,), generator=generator(seed, "at")))])
    v = tensor_of(case, "v").clone()
    v[:, :, at] = 1e4 if v.dtype == torch.float16 else 1e30
    return edited(case, v=v)


def _blind_kept(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    altered = (tensor_of(case, "v") != tensor_of(changed, "v")).any(-1).any(0).any(0)
    blind = ~(_seen(case) & altered).any(-1)
    return _rows_equal(outputs[0], found[0], blind, "a value they do not see")


def _rows_equal(before: Tensor, after: Tensor, rows_BHT: Tensor, what: str) -> str | None:
    wrong = (before != after).any(-1) & rows_BHT
    if not bool(wrong.any()):
        return None
    return f"{int(wrong.sum())} of {int(rows_BHT.sum())} queries changed with {what}"


def _other_batches(case: Case, seed: int) -> Case | None:
    q = tensor_of(case, "q")
    if len(q) < 2:
        return None
    tensors = {}
    for name in ("q", "k", "v"):
        value = tensor_of(case, name).clone()
        value[1:] = value[1:].flip(2)
        tensors[name] = value
    return edited(case, **tensors)


def _first_kept(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    return apart(outputs[0][0], found[0][0], ulps=2, what="sample 0 when the others change")


def _repeated(case: Case, seed: int) -> Case | None:
    groups = tensor_of(case, "q").shape[1] // tensor_of(case, "k").shape[1]
    if groups == 1:
        return None
    k, v = (tensor_of(case, name).repeat_interleave(groups, dim=1) for name in ("k", "v"))
    return edited(case, k=k, v=v)


def _groups_kept(case: Case, outputs: Outputs, changed: Case, found: Outputs) -> str | None:
    return apart(outputs[0], found[0], ulps=64, what="grouped heads and the same heads repeated")


PERMUTATION = Law(
    name="permutation",
    summary="Without a mask the order of the keys does not matter",
    variant=_permuted,
    violation=_unmoved,
)
CAUSALITY = Law(
    name="causality",
    summary="Changing the last key and value leaves the queries before it equal to the bit",
    variant=_other_end,
    violation=_past_kept,
)
HIDDEN_VALUES = Law(
    name="hidden-values",
    summary="A huge value at a key that a query does not see leaves it equal to the bit",
    variant=_huge_value,
    violation=_blind_kept,
)
BATCH = Law(
    name="batch",
    summary="A sample does not depend on the others in its batch",
    variant=_other_batches,
    violation=_first_kept,
)
GROUPS = Law(
    name="groups",
    summary="Grouped heads equal the same key and value heads repeated",
    variant=_repeated,
    violation=_groups_kept,
)
