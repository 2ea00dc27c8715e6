"""Attention calls of a task model, sent to the sandbox one at a time.

The candidate sees queries, keys and values of the shapes that are timed, in the same kind of call,
and nothing of the task: where the contract times a workload of the same length, head size and mask,
calls are cut to its batch and heads. What an operator does not know it cannot treat otherwise.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from dougong.contracts.definition import Case, Contract, Workload
from dougong_ci.judge.child import Child, Fell
from dougong_ci.judge.correctness import bits
from dougong_ci.judge.memory import image
from dougong_ci.judge.party import Party
from dougong_ci.quality.model import Attend
from dougong_ci.quality.sent import Sent
from dougong_ci.runner.protocol import Fault

_KEPT = 3
"""Calls of each length that are kept, to be timed later."""
_MOST_ELEMENTS = 1 << 22
"""Of the products of one call, where no workload says how it is cut."""


class Through:
    """An operator in the sandbox, called like a function by the judge's own model."""

    def __init__(
        self,
        party: Party,
        contract: Contract,
        target: str,
        *,
        dtype: torch.dtype,
        limit_s: float,
        workloads: Sequence[Workload] = (),
        seed: int = 0,
    ) -> None:
        """Fork a fresh process for the operator.

        Args:
            party: The candidate's sandbox.
            contract: Of attention: called as f(q, k, v, *, mask, is_causal, scale).
            target: Dotted target of the implementation.
            dtype: In which it is called; what it gives comes back as float32.
            limit_s: Longest time of one call.
            workloads: Timed ones, whose batch and heads calls are cut to.
            seed: Decides which calls are kept for timing.
        """
        self._child: Child = party.spawn()
        self._contract, self._target = contract, target
        self._dtype, self._limit_s = dtype, limit_s
        self._cuts = _cuts(workloads)
        self._bound: object = None
        self._source = random.Random(seed)  # noqa: S311 - seeded by the secret, repeatable afterwards
        self._seen: dict[int, int] = {}
        self.sent: dict[int, list[Sent]] = {}
        """Some calls of each length, chosen at random: causal ones, without a mask."""
        self.calls = 0

    def attend(self, *, is_causal: bool) -> Attend:
        """Return what a task model calls."""

        def attend(
            q_BHTD: Tensor, k_BHTD: Tensor, v_BHTD: Tensor, *, mask: Tensor | None
        ) -> Tensor:
            out_BHTD = torch.empty_like(q_BHTD)
            for batch, heads in self._parts(q_BHTD, mask, is_causal=is_causal):
                q, k, v = (x[batch, heads] for x in (q_BHTD, k_BHTD, v_BHTD))
                part = None if mask is None else mask[batch]
                out_BHTD[batch, heads] = self._call(q, k, v, part, is_causal).float()
            return out_BHTD

        return attend

    def _parts(
        self, q_BHTD: Tensor, mask: Tensor | None, *, is_causal: bool
    ) -> Iterator[tuple[slice, slice]]:
        B, H, T, D = q_BHTD.shape
        fitting = max(1, min(B, _MOST_ELEMENTS // (H * T * T)))
        b, h = self._cuts.get((T, D, is_causal, mask is not None), (fitting, H))
        for i in range(0, B, b):
            for j in range(0, H, h):
                yield slice(i, i + b), slice(j, j + h)

    def _call(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, is_causal: bool
    ) -> Tensor:
        tensors: dict[str, Tensor | None] = {
            name: x.to(self._dtype).clone(memory_format=torch.contiguous_format)
            for name, x in (("q", q), ("k", k), ("v", v))
        }
        tensors["mask"] = None if mask is None else mask.clone()
        case = Case(tensors=tensors, static={"is_causal": is_causal, "scale": None})
        out = self._asked(case, (tuple(q.shape), is_causal, mask is None))
        if is_causal and mask is None:
            self._keep(case, out)
        return out

    def _asked(self, case: Case, shape: object) -> Tensor:
        child = self._child
        if child.buffers is None or shape != self._bound:
            like = [torch.empty_like(q) for q in (case.tensors["q"],) if q is not None]
            child.prepare(self._contract.id, self._target, case, like)
            self._bound = shape
        if (buffers := child.buffers) is None:
            raise RuntimeError("a call needs a prepared child")
        packed = image(buffers.in_plan, case.tensors)
        with child.armed():
            child.call(packed, self._limit_s, timed=False)
        if stray := buffers.strays(packed):
            raise Fell(Fault.ALIAS, stray)
        self.calls += 1
        (out,) = buffers.results()
        return out

    def _keep(self, case: Case, out: Tensor) -> None:
        """Keep a few calls of each length, every one as likely as another."""
        T = out.shape[2]
        self._seen[T] = self._seen.get(T, 0) + 1
        kept, place = self.sent.setdefault(T, []), self._source.randrange(self._seen[T])
        if len(kept) < _KEPT:
            kept.append(Sent(case, bits([out])))
        elif place < _KEPT:
            kept[place] = Sent(case, bits([out]))


def _cuts(workloads: Sequence[Workload]) -> Mapping[tuple[int, int, bool, bool], tuple[int, int]]:
    """Return batch and heads of the timed calls by length, head size, causality and mask."""
    found = {}
    for work in workloads:
        B, H, T, S, D = (int(str(work.params[name])) for name in "BHTSD")
        if T == S:
            key = (S, D, bool(work.params["is_causal"]), work.params["mask"] != "none")
            found[key] = (B, H)
    return found
