"""The gates about right and wrong: contract, accuracy, edges, gradient, laws, determinism.

Every call goes through the same protocol as the timed ones. A cached answer is met by calling each
public workload twice with different values in the same buffers.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable

import torch
from torch import Tensor

from dougong.contracts.definition import Case, Contract, Law, Workload
from dougong.operator import Operator
from dougong_ci.judge import optimizers, probes
from dougong_ci.judge.answers import Answer
from dougong_ci.judge.calls import Calls, SandboxCalls
from dougong_ci.judge.child import Child, Fell
from dougong_ci.judge.docket import Broken, Docket, Over
from dougong_ci.judge.nearby import single_change
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import Profile
from dougong_ci.judge.rows import fallen, judged, said, worst
from dougong_ci.report.verdict import AccuracyRow, Gate, Outcome
from dougong_ci.runner.packing import plan
from dougong_ci.runner.protocol import Fault

_LAW_PAIRS = {"accuracy": 3, "edge": 2}
"""Workloads of a purpose on which each law is held, of those to which it applies."""
_TWICE = 3
_REPEATS = 4
"""Calls whose spread bounds an operator that says it is nondeterministic."""


class Correctness:
    """The correctness gates of one operator.

    Args:
        docket: Where everything found is written.
        calls: How the operator is called.
        hasty: Stop at the first thing that is wrong; for the lint, which asks whether and where.
    """

    def __init__(self, docket: Docket, calls: Calls, *, hasty: bool = False) -> None:
        self._docket = docket
        self._calls = calls
        self._hasty = hasty
        self._contract = docket.answers.contract

    @classmethod
    def sandboxed(cls, docket: Docket, party: Party, profile: Profile) -> Correctness:
        """Call the operator in a process of the candidate's sandbox."""
        return cls(docket, SandboxCalls(docket.operator.target, party, profile))

    def run(self) -> None:
        """Run every gate up to the first that ends the trial; the rest are skipped."""
        steps = (
            ("build", self._build),
            ("contract", self._contract_gate),
            ("accuracy", self._accuracy),
            ("edges", self._edges),
            ("gradient", self._gradient),
            ("laws", self._laws),
            ("determinism", self._determinism),
        )
        ended = ""
        for name, step in steps:
            if ended:
                self._docket.skip(name, ended)
                continue
            try:
                with self._docket.gate(name) as gate:
                    step(gate)
            except Over:
                ended = f"not run: the {name} gate ended the trial"
            if self._hasty and self._docket.code:
                ended = ended or f"not run: the {name} gate failed"
        self._calls.close()

    def dtypes(self) -> list[torch.dtype]:
        """Return the dtypes both declared by the operator and asked by the contract."""
        return [
            getattr(torch, name)
            for name in self._contract.dtypes
            if name in self._docket.operator.dtypes
        ]

    def _build(self, gate: Gate) -> None:
        operator, contract = self._docket.operator, self._contract
        if not self.dtypes():
            raise Broken(
                f"{contract.id} asks for {', '.join(contract.dtypes)}; "
                f"the operator declares {', '.join(operator.dtypes)}"
            )
        asked = self._asked("accuracy")
        if not asked:
            raise Broken(
                f"no workload of {contract.id} needs only what the operator declares, "
                f"{', '.join(contract.features_of(operator))}; declare every feature it has, of "
                f"{', '.join(contract.features)}"
            )
        self._calls.start()
        self._calls.bind(self._docket.answers.forward(asked[0], self.dtypes()[0]))
        gate.summary = "imported and prepared"

    def _contract_gate(self, gate: Gate) -> None:
        first = self._asked("accuracy")[0]
        for dtype in self.dtypes():
            self._calls.outputs(self._docket.answers.forward(first, dtype))
        names = ", ".join(str(dtype).removeprefix("torch.") for dtype in self.dtypes())
        gate.summary = f"types, shapes and untouched inputs in {names}"

    def _accuracy(self, gate: Gate) -> None:
        hidden = [(w, True) for w in self._mine(self._docket.answers.hidden(), "accuracy")]
        asked = [(w, False) for w in self._asked("accuracy")]
        rows = self._sweep([*asked, *hidden], twice=True)
        for answer in self._trained():
            rows += self._compared(answer, hidden=True)
        self._conclude(gate, rows)
        if self._contract.id == "optimizer.step@1":
            self._weigh_state(gate)

    def _trained(self) -> list[Answer]:
        if self._contract.id != "optimizer.step@1":
            return []
        variant = self._docket.operator.variant or ""
        return [
            answer
            for dtype in self.dtypes()
            for answer in optimizers.trained(self._docket.answers, variant, dtype)
        ]

    def _weigh_state(self, gate: Gate) -> None:
        """Report bytes of optimizer state for each byte of parameters; nothing is judged by it."""
        variant = self._docket.operator.variant or ""
        answer = optimizers.state_share(self._docket.answers, variant, self.dtypes()[0])
        (found,) = self._calls.outputs(answer)
        gate.measurements["state_bytes_per_parameter_byte"] = float(found.nan_to_num())
        gate.measurements["native_state_bytes_per_parameter_byte"] = float(answer.natives[0][0])

    def _edges(self, gate: Gate) -> None:
        rows = self._sweep([(w, False) for w in self._asked("edge")], twice=False)
        not_asked = []
        # One wide and one narrow dtype show what arithmetic does at the edges.
        both = [d for d in self.dtypes() if d in (torch.float32, torch.bfloat16)]
        for dtype in both or self.dtypes()[:1]:
            answers, refused = probes.edges(self._docket.answers, self._asked("accuracy"), dtype)
            rows += self._chained(answers)
            not_asked += [f"{name} ({dtype})".replace("torch.", "") for name in refused]
            if self._contract.id == "optimizer.step@1":
                variant = self._docket.operator.variant or ""
                for answer in optimizers.exact_steps(self._docket.answers, variant, dtype):
                    rows += self._compared(answer, hidden=True)
        self._conclude(gate, rows)
        gate.measurements["not_asked"] = not_asked

    def _gradient(self, gate: Gate) -> None:
        docket, contract = self._docket, self._contract
        if contract.gradient == "none":
            self._skip(gate, "the contract has no gradient")
            return
        if docket.operator.gradients == "none":
            if contract.gradient == "required":
                raise Broken("the contract requires gradients, the operator declares none")
            self._skip(gate, "the operator declares no gradient")
            return
        hidden = self._mine(docket.answers.hidden(), "accuracy")
        asked = [w for w in self._asked("accuracy") if "speed" not in w.purpose]
        rows = []
        for dtype in self.dtypes():
            for workload in [*asked, *hidden]:
                answer = docket.answers.backward(workload, dtype)
                if answer is not None:
                    rows += self._compared(answer, hidden=workload in hidden)
        self._conclude(gate, rows)

    def _laws(self, gate: Gate) -> None:
        held = {law.name: self._hold(law) for law in self._contract.laws}
        gate.measurements = {"pairs": held}
        if not any(held.values()):
            self._skip(gate, "the contract states no law that applies")
            return
        kept = [name for name, pairs in held.items() if pairs]
        gate.summary = (
            f"{len(kept)} laws hold on {sum(held.values())} pairs of calls: " + ", ".join(kept)
        )

    def _hold(self, law: Law) -> int:
        """Hold a law on the first workloads to which it applies, edges too, and count them."""
        held = 0
        for purpose, most in _LAW_PAIRS.items():
            found = (self._pair(law, workload) for workload in self._asked(purpose))
            held += sum(itertools.islice(filter(None, found), most))
        return held

    def _pair(self, law: Law, workload: Workload) -> bool:
        """Hold a law on one workload, and say whether it applies."""
        answers = self._docket.answers
        dtype = self.dtypes()[0] if torch.float32 not in self.dtypes() else torch.float32
        answer = answers.forward(workload, dtype)
        changed = law.variant(answer.case, answers.seed("law", law.name, workload.name))
        if changed is None or not any(golden.numel() for golden in answer.golden):
            return False
        plain = tuple(self._calls.outputs(answer))
        rebind = not _same_but_values(answer.case, changed)
        shaped = answers.shaped(workload, dtype, changed)
        other = tuple(self._calls.outputs(shaped, rebind=rebind))
        if wrong := law.violation(answer.case, plain, changed, other):
            raise Broken(f"law {law.name} ({law.summary}) on {workload.name}: {wrong}")
        return True

    def _determinism(self, gate: Gate) -> None:
        docket = self._docket
        if not docket.operator.deterministic:
            self._bound_spread(gate)
            return
        for workload in self._asked("accuracy")[:_TWICE]:
            answer = docket.answers.forward(workload, self.dtypes()[0])
            first, second = (self._calls.outputs(answer) for _ in range(2))
            if bits(first) != bits(second):
                raise Broken(f"{workload.name}: two calls with equal inputs gave different bits")
            docket.fingerprints[workload.name] = bits(first)
        gate.summary = "equal bits in two calls"

    def _bound_spread(self, gate: Gate) -> None:
        """Hold repeated calls of a nondeterministic operator to the accuracy rule, and together."""
        widest = 0.0
        for workload in self._asked("accuracy")[:_TWICE]:
            answer = self._docket.answers.forward(workload, self.dtypes()[0])
            first: list[Tensor] = []
            for i in range(_REPEATS):
                outputs = self._calls.outputs(answer, rebind=i % 2 == 0)
                rows = judged(answer, outputs, self._docket.spread, hidden=False)
                first = first or outputs
                for row, one, other in zip(rows, first, outputs, strict=True):
                    if not row.passed:
                        raise Broken(f"call {i + 1} of {_REPEATS}, {said(row)}: {row.reason}")
                    share = self._apart(one, other) / row.bound if row.bound else 0.0
                    widest = max(widest, share)
                    if share > 1:
                        raise Broken(
                            f"{workload.name}: repeated calls may differ by their bound "
                            f"{row.bound:.3g} at most, got {share:.2g} times that"
                        )
        gate.measurements = {"calls": _REPEATS, "spread_share_of_bound": widest}
        gate.summary = (
            f"declared nondeterministic; {_REPEATS} calls spread {widest:.0%} of the bound"
        )

    def _apart(self, one: Tensor, other: Tensor) -> float:
        """Return how far two outputs are from each other, in the measure of the bound."""
        apart = (one.double() - other.double()).nan_to_num(0.0, 0.0, 0.0)
        if self._contract.tolerance.max_relative_l2 is not None:
            return float(apart.norm())
        return float(apart.abs().max()) if apart.numel() else 0.0

    def check_again(self, child: Child) -> None:
        """Meet one earlier output again, in a new process.

        Raises:
            Broken: other bits came out, or wrong ones where the operator may differ.
            Fell: the call failed.
        """
        if not isinstance(self._calls, SandboxCalls):
            raise TypeError("another process is only there in a sandbox")
        self._calls.adopt(child)
        for workload in self._asked("accuracy")[:1]:
            answer = self._docket.answers.forward(workload, self.dtypes()[0])
            before = self._docket.fingerprints.get(workload.name)
            if before is None and self._docket.operator.deterministic:
                return
            outputs = self._calls.outputs(answer)
            if before is not None:
                if bits(outputs) != before:
                    raise Broken(f"{workload.name}: another process gave different bits")
                continue  # and equal bits were judged already
            for row in judged(answer, outputs, self._docket.spread, hidden=False):
                if not row.passed:
                    raise Broken(f"in another process, {said(row)}: {row.reason}")

    def _asked(self, purpose: str) -> list[Workload]:
        return self._mine(self._contract.workloads, purpose)

    def _mine(self, workloads: Iterable[Workload], purpose: str) -> list[Workload]:
        return asked(self._contract, self._docket.operator, workloads, purpose)

    def _sweep(self, asked: list[tuple[Workload, bool]], *, twice: bool) -> list[AccuracyRow]:
        rows = []
        for dtype in self.dtypes():
            for workload, hidden in asked:
                rows += self._compared(self._docket.answers.forward(workload, dtype), hidden=hidden)
                if twice and "speed" not in workload.purpose:
                    again = self._docket.answers.forward(workload, dtype, 1)
                    rows += self._compared(again, hidden=hidden, rebind=False)
                    if near := None if hidden else single_change(self._docket.answers, again):
                        same = _same_but_values(again.case, near.case)
                        rows += self._compared(near, hidden=True, rebind=not same)
        return rows

    def _chained(self, answers: list[Answer]) -> list[AccuracyRow]:
        """Run answers in order, each in what was prepared for the one before where it fits."""
        rows: list[AccuracyRow] = []
        before: Answer | None = None
        for answer in answers:
            rebind = before is None or not _same_but_values(before.case, answer.case)
            rows += self._compared(answer, hidden=True, rebind=rebind)
            before = answer
        return rows

    def _compared(self, answer: Answer, *, hidden: bool, rebind: bool = True) -> list[AccuracyRow]:
        """Run one call and compare each of its outputs; a fault of its own is a failed row."""
        try:
            outputs = self._calls.outputs(answer, rebind=rebind)
        except Fell as fell:
            if fell.fault not in (Fault.EXCEPTION, Fault.PREPARE):
                raise
            rows = [fallen(answer, str(fell), hidden=hidden)]
        else:
            rows = judged(answer, outputs, self._docket.spread, hidden=hidden)
        self._docket.accuracy += rows
        if self._hasty:
            _refuse(rows)
        return rows

    def _conclude(self, gate: Gate, rows: list[AccuracyRow]) -> None:
        failed = sum(not row.passed for row in rows)
        gate.measurements = {"calls": len(rows), "failed": failed}
        if not rows:
            self._skip(gate, "the contract asks nothing here of this operator")
            return
        _refuse(rows)
        gate.summary = f"{len(rows)} outputs within bounds, {worst(rows)}"

    def _skip(self, gate: Gate, reason: str) -> None:
        """Note that the gate has nothing to ask of this operator, which is no fault of it."""
        gate.outcome, gate.summary, gate.required = Outcome.SKIPPED, reason, False


def asked(
    contract: Contract, operator: Operator, workloads: Iterable[Workload], purpose: str
) -> list[Workload]:
    """Return the workloads of a purpose that the operator's features and variant cover."""
    features = contract.features_of(operator)
    return [
        workload
        for workload in workloads
        if purpose in workload.purpose and (not features or set(workload.features) <= set(features))
    ]


def bits(outputs: Iterable[Tensor]) -> bytes:
    """Return a digest of the bits of outputs."""
    digest = hashlib.sha256()
    for output in outputs:
        digest.update(output.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.digest()


def _refuse(rows: list[AccuracyRow]) -> None:
    """Raise if a row failed, naming the first."""
    failed = [row for row in rows if not row.passed]
    if failed:
        raise Broken(
            f"{len(failed)} of {len(rows)} outputs wrong; {said(failed[0])}: {failed[0].reason}"
        )


def _same_but_values(case: Case, other: Case) -> bool:
    """Say whether what was prepared for one case may run the other."""
    same_setup = case.setup.keys() == other.setup.keys() and all(
        other.setup[name] is value for name, value in case.setup.items()
    )
    return same_setup and case.static == other.static and plan(case.tensors) == plan(other.tensors)
