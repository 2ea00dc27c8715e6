"""What the trusted side computes: cases, goldens and native outputs.

They are shared by all operators of a contract, so that three do not pay for the same float64
arithmetic three times.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from dougong.contracts import evaluate
from dougong.contracts.accuracy import Comparison, compare
from dougong.contracts.definition import Case, Contract, Workload

_KEPT_BYTES = 1 << 30


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """One call and what must come out of it."""

    workload: Workload
    dtype: torch.dtype
    case: Case
    names: tuple[str, ...]
    """Of the outputs: empty forward, the differentiated inputs backward."""
    golden: tuple[Tensor, ...]
    natives: tuple[tuple[Tensor, ...], ...]
    flowing: tuple[Tensor, ...] = ()


def compared(contract: Contract, answer: Answer, i: int, output: Tensor) -> Comparison:
    """Hold output `i` of a call to its golden by the contract's accuracy rule."""
    tolerance = contract.tolerance
    return compare(
        output,
        [native[i] for native in answer.natives],
        answer.golden[i],
        tolerance=tolerance,
        scale=tolerance.cap_scale(answer.workload) if tolerance.cap_scale else 1.0,
        dtype=answer.natives[0][i].dtype,
        gradient=bool(answer.names),
    )


class Answers:
    """Answers by (workload, dtype, direction, take), kept up to a bound."""

    def __init__(self, contract: Contract, seed: int) -> None:
        self.contract = contract
        self._seed = seed
        self._kept: dict[tuple[str, str, str, int], Answer] = {}
        self._bytes = 0
        self._shared: dict[tuple[str, str, str], Case] = {}

    def seed(self, *scope: str) -> int:
        """Derive a seed for one purpose; without the secret it cannot be guessed."""
        text = "/".join((str(self._seed), self.contract.id, *scope))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")

    def hidden(self) -> tuple[Workload, ...]:
        """Return the workloads nobody has seen before this judgement."""
        return self.contract.hidden(self.seed("hidden"))

    def case(self, workload: Workload, dtype: torch.dtype, take: int | str = 0) -> Case:
        """Draw the inputs of a workload; every take has other values, and the same setup.

        What is prepared once (a model with its weights) meets other inputs, never other weights.
        """
        seed = self.seed(workload.name, str(dtype), str(take))
        case = self.contract.generate(workload, seed, dtype)
        if take == 0 or not case.setup:
            return case
        return dataclasses.replace(case, setup=self.case(workload, dtype).setup)

    def shared(self, workload: Workload, dtype: torch.dtype, take: str) -> Case:
        """Return the case of a take, kept for the contract's other operators until `forget`.

        Drawing one takes longer than timing it.
        """
        key = (workload.name, str(dtype), take)
        if key not in self._shared:
            self._shared[key] = self.case(workload, dtype, take)
        return self._shared[key]

    def forget(self) -> None:
        """Drop the shared cases."""
        self._shared.clear()

    def forward(self, workload: Workload, dtype: torch.dtype, take: int = 0) -> Answer:
        """Return a call and its outputs."""
        return self._keep(
            (workload.name, str(dtype), "forward", take),
            lambda: self.of(workload, dtype, self.case(workload, dtype, take)),
        )

    def of(self, workload: Workload, dtype: torch.dtype, case: Case) -> Answer:
        """Answer a case of one's own making."""
        return Answer(
            workload,
            dtype,
            case,
            (),
            evaluate.golden(self.contract, case),
            tuple(evaluate.natives(self.contract, case)),
        )

    def backward(self, workload: Workload, dtype: torch.dtype) -> Answer | None:
        """Return a call with upstream gradients and the gradients, or None where none is judged."""
        forward = self.forward(workload, dtype)
        case = forward.case
        if not any(case.tensors.get(name) is not None for name in case.differentiable):
            return None
        return self._keep(
            (workload.name, str(dtype), "backward", 0), lambda: self._backward(forward)
        )

    def _backward(self, forward: Answer) -> Answer:
        case, contract = forward.case, self.contract
        seed = self.seed(forward.workload.name, "cotangent")
        flowing = evaluate.cotangents(forward.natives[0], seed, forward.dtype)
        golden = evaluate.golden_gradients(contract, case, flowing)
        natives = evaluate.native_gradients(contract, case, flowing)
        return dataclasses.replace(
            forward,
            names=tuple(golden),
            golden=tuple(golden.values()),
            natives=tuple(_in_order(found, golden) for found in natives),
            flowing=flowing,
        )

    def _keep(self, key: tuple[str, str, str, int], make: Callable[[], Answer]) -> Answer:
        if key not in self._kept:
            answer = make()
            size = sum(t.nbytes for outputs in (answer.golden, *answer.natives) for t in outputs)
            if self._bytes + size > _KEPT_BYTES:
                return answer
            self._bytes += size
            self._kept[key] = answer
        return self._kept[key]


def _in_order(
    found: Mapping[str, Tensor], names: Sequence[str] | Mapping[str, Tensor]
) -> tuple[Tensor, ...]:
    return tuple(found[name] for name in names)
