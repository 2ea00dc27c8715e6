"""What the trusted side computes: cases, goldens and native outputs.

They are shared by all operators of a contract, so that three do not pay for the same float64
arithmetic three times.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from dougong.contracts import evaluate
from dougong.contracts.accuracy import Comparison, compare
from dougong.contracts.definition import Case, Contract, Workload
from dougong.operator import resolve
from dougong_ci.judge import second, stricter
from dougong_ci.judge.device import Cpu, Device

_KEPT_BYTES = 1 << 30


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """One call and what must come out of it."""

    contract: Contract
    """The one judged by, or one of its exercises."""
    workload: Workload
    dtype: torch.dtype
    case: Case
    names: tuple[str, ...]
    """Of the outputs: empty forward, the differentiated inputs backward."""
    golden: tuple[Tensor, ...]
    natives: tuple[tuple[Tensor, ...], ...]
    flowing: tuple[Tensor, ...] = ()


def compared(contract: Contract, answer: Answer, i: int, output: Tensor) -> Comparison:
    """Hold output `i` of a call to its golden: by the contract, `second` and `stricter`.

    The contract's absolute cap counts only where its own baselines stay below it: on rare inputs
    (a softmax between two nearly equal logits of a thousand, in float16) none does.
    """
    natives = [native[i] for native in answer.natives]
    found = held(contract, answer, i, output, natives)
    if _beyond_everyone(contract, answer, i, found, natives):
        free = held(contract, answer, i, output, natives, capped=False)
        found = free if free.passed else found
    if _narrow(contract, found):
        dtype = answer.natives[0][i].dtype
        moved = second.moved_natives(contract, answer.case, answer.flowing, dtype)
        natives = [native[i] for native in (*answer.natives, *moved)]
        found = held(contract, answer, i, output, natives)
    if found.passed and (
        wrong := stricter.fault(output, answer.golden[i], found, contract.tolerance)
    ):
        return dataclasses.replace(found, passed=False, reason=wrong)
    return found


def held(
    contract: Contract,
    answer: Answer,
    i: int,
    output: Tensor,
    natives: list[Tensor],
    *,
    capped: bool = True,
) -> Comparison:
    """Hold output `i` of a call to its golden by the contract's own rule and some natives."""
    tolerance = contract.tolerance
    scale = tolerance.cap_scale(answer.workload) if tolerance.cap_scale else 1.0
    return compare(
        output,
        natives,
        answer.golden[i],
        tolerance=tolerance,
        scale=scale if capped else math.inf,
        dtype=answer.natives[0][i].dtype,
        gradient=bool(answer.names),
    )


def _beyond_everyone(
    contract: Contract, answer: Answer, i: int, found: Comparison, natives: list[Tensor]
) -> bool:
    """Say whether an output failed where a baseline breaks the cap too.

    Held among natives of which it is one, a baseline cannot break another rule. In float64 the cap
    is the rule.
    """
    exact = contract.tolerance.max_relative_l2 is None
    if found.passed or not exact or natives[0].dtype == torch.float64:
        return False
    return any(not held(contract, answer, i, native, natives).passed for native in natives)


def _narrow(contract: Contract, found: Comparison) -> bool:
    """Say whether an output missed its bound by so little that luck may be in it."""
    exact = contract.tolerance.max_relative_l2 is None
    return exact and not found.passed and 0 < found.max_error <= second.NARROW * found.bound


class Answers:
    """Answers by (workload, dtype, direction, take), kept up to a bound."""

    def __init__(self, contract: Contract, seed: int, device: Device | None = None) -> None:
        """Answer calls of a contract.

        Args:
            contract: Of the installed release.
            seed: The secret.
            device: Where the operator computes, and so the natives; goldens are the processor's.
        """
        self.contract = contract
        self.device = device or Cpu()
        self._seed = seed
        self._kept: dict[tuple[str, str, str, int], Answer] = {}
        self._extra: dict[tuple[str, str, str], tuple[list[Answer], list[str]]] = {}
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

    def of(
        self, workload: Workload, dtype: torch.dtype, case: Case, contract: Contract | None = None
    ) -> Answer:
        """Answer a case of one's own making, by the contract or by an exercise of it."""
        contract = contract or self.contract
        return Answer(
            contract,
            workload,
            dtype,
            case,
            (),
            evaluate.golden(contract, case),
            tuple(map(_home, evaluate.natives(contract, self._there(case)))),
        )

    def shaped(self, workload: Workload, dtype: torch.dtype, case: Case) -> Answer:
        """Return a call whose outputs are only to be compared among themselves: no golden."""
        target = resolve(next(iter(self.contract.baselines.values())))
        with torch.no_grad():
            outputs = self.contract.bind(target, case)(case.tensors)
        return Answer(self.contract, workload, dtype, case, (), (), (outputs,))

    def kept_extra(
        self, key: tuple[str, str, str], make: Callable[[], tuple[list[Answer], list[str]]]
    ) -> tuple[list[Answer], list[str]]:
        """Return what `make` makes, made once for all operators of the contract."""
        if key not in self._extra:
            self._extra[key] = make()
        return self._extra[key]

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
        seed = self.seed(forward.workload.name, "cotangent")
        return self.of_backward(
            forward, evaluate.cotangents(forward.natives[0], seed, forward.dtype)
        )

    def of_backward(self, forward: Answer, flowing: tuple[Tensor, ...]) -> Answer:
        """Answer the backward call of a forward one, for upstream gradients of one's own."""
        case, contract = forward.case, self.contract
        golden = evaluate.golden_gradients(contract, case, flowing)
        upstream = [each.to(self.device.name) for each in flowing]
        natives = evaluate.native_gradients(contract, self._there(case), upstream)
        return dataclasses.replace(
            forward,
            names=tuple(golden),
            golden=tuple(golden.values()),
            natives=tuple(_home(_in_order(found, golden)) for found in natives),
            flowing=flowing,
        )

    def _there(self, case: Case) -> Case:
        """Return the case with its tensors on the device."""
        if self.device.name == "cpu":
            return case
        return dataclasses.replace(
            case,
            tensors={
                name: None if value is None else value.to(self.device.name)
                for name, value in case.tensors.items()
            },
            setup={name: value.to(self.device.name) for name, value in case.setup.items()},
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


def _home(outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(output.cpu() for output in outputs)


def _in_order(
    found: Mapping[str, Tensor], names: Sequence[str] | Mapping[str, Tensor]
) -> tuple[Tensor, ...]:
    return tuple(found[name] for name in names)
