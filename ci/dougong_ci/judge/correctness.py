"""The gates about right and wrong: contract, accuracy, edges, gradient, laws, determinism.

Every call goes through the same protocol as the timed ones. A cached answer is met by calling each
public workload twice with different values in the same buffers.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor

from dougong.contracts.accuracy import Comparison
from dougong.contracts.definition import Contract, Workload
from dougong.operator import Operator
from dougong_ci.judge.answers import Answer, compared
from dougong_ci.judge.child import Child, Fell
from dougong_ci.judge.docket import Broken, Docket, Over
from dougong_ci.judge.memory import image, numbered
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import Profile
from dougong_ci.report.verdict import AccuracyRow, Gate, Outcome
from dougong_ci.runner.protocol import Fault

LARGEST = 1.7976931348623157e308
"""Stands for an infinite error, because JSON has no infinity; the reason says what it was."""
_LAW_WORKLOADS = 6
_TWICE = 3


class Correctness:
    """The correctness gates of one operator, in one process of the candidate's sandbox."""

    def __init__(self, docket: Docket, party: Party, profile: Profile) -> None:
        self._docket = docket
        self._party = party
        self._profile = profile
        self._contract = docket.answers.contract
        self._child: Child | None = None

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
        self._party.drop()

    def dtypes(self) -> list[torch.dtype]:
        """Return the dtypes both declared by the operator and asked by the contract."""
        return [
            getattr(torch, name)
            for name in self._contract.dtypes
            if name in self._docket.operator.dtypes
        ]

    def _build(self, gate: Gate) -> None:
        if not self.dtypes():
            raise Broken(
                f"{self._contract.id} asks for {', '.join(self._contract.dtypes)}; "
                f"the operator declares {', '.join(self._docket.operator.dtypes)}"
            )
        self._child = self._party.spawn()
        first = self._asked("accuracy")[0]
        self._bind(self._docket.answers.forward(first, self.dtypes()[0]))
        gate.summary = "imported and prepared"

    def _contract_gate(self, gate: Gate) -> None:
        first = self._asked("accuracy")[0]
        for dtype in self.dtypes():
            self._outputs(self._docket.answers.forward(first, dtype))
        names = ", ".join(str(dtype).removeprefix("torch.") for dtype in self.dtypes())
        gate.summary = f"types, shapes and untouched inputs in {names}"

    def _accuracy(self, gate: Gate) -> None:
        hidden = [(w, True) for w in self._mine(self._docket.answers.hidden(), "accuracy")]
        asked = [(w, False) for w in self._asked("accuracy")]
        self._sweep(gate, [*asked, *hidden], twice=True)

    def _edges(self, gate: Gate) -> None:
        asked = [(w, False) for w in self._asked("edge")]
        self._sweep(gate, asked, twice=False)

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
        answers, held = self._docket.answers, 0
        dtype = self.dtypes()[0] if torch.float32 not in self.dtypes() else torch.float32
        for law in self._contract.laws:
            for workload in self._asked("accuracy")[:_LAW_WORKLOADS]:
                answer = answers.forward(workload, dtype)
                changed = law.variant(answer.case, answers.seed("law", law.name, workload.name))
                if changed is None:
                    continue
                plain = tuple(self._outputs(answer))
                other = tuple(self._outputs(answers.of(workload, dtype, changed)))
                if wrong := law.violation(answer.case, plain, changed, other):
                    raise Broken(f"law {law.name} ({law.summary}) on {workload.name}: {wrong}")
                held += 1
        if not held:
            self._skip(gate, "the contract states no law that applies")
            return
        gate.summary = f"{len(self._contract.laws)} laws hold on {held} pairs of calls"

    def _determinism(self, gate: Gate) -> None:
        docket = self._docket
        if not docket.operator.deterministic:
            self._skip(gate, "the operator declares itself nondeterministic")
            return
        for workload in self._asked("accuracy")[:_TWICE]:
            answer = docket.answers.forward(workload, self.dtypes()[0])
            first, second = (self._outputs(answer) for _ in range(2))
            if bits(first) != bits(second):
                raise Broken(f"{workload.name}: two calls with equal inputs gave different bits")
            docket.fingerprints[workload.name] = bits(first)
        gate.summary = "equal bits in two calls"

    def check_again(self, child: Child) -> None:
        """Meet one earlier output again, in a new process.

        Raises:
            Broken: other bits came out.
            Fell: the call failed.
        """
        self._child = child
        for workload in self._asked("accuracy")[:1]:
            if (before := self._docket.fingerprints.get(workload.name)) is None:
                return
            answer = self._docket.answers.forward(workload, self.dtypes()[0])
            if bits(self._outputs(answer)) != before:
                raise Broken(f"{workload.name}: another process gave different bits")

    def _asked(self, purpose: str) -> list[Workload]:
        return self._mine(self._contract.workloads, purpose)

    def _mine(self, workloads: Iterable[Workload], purpose: str) -> list[Workload]:
        return asked(self._contract, self._docket.operator, workloads, purpose)

    def _sweep(self, gate: Gate, asked: list[tuple[Workload, bool]], *, twice: bool) -> None:
        rows = []
        for dtype in self.dtypes():
            for workload, hidden in asked:
                rows += self._compared(self._docket.answers.forward(workload, dtype), hidden=hidden)
                if twice and "speed" not in workload.purpose:
                    again = self._docket.answers.forward(workload, dtype, 1)
                    rows += self._compared(again, hidden=hidden, rebind=False)
        self._conclude(gate, rows)

    def _compared(self, answer: Answer, *, hidden: bool, rebind: bool = True) -> list[AccuracyRow]:
        """Run one call and compare each of its outputs; a fault of its own is a failed row."""
        try:
            outputs = self._outputs(answer, rebind=rebind)
        except Fell as fell:
            if fell.fault not in (Fault.EXCEPTION, Fault.PREPARE):
                raise
            row = _row(answer, "", _nothing(str(fell)), hidden)
            self._docket.accuracy.append(row)
            return [row]
        rows = []
        for i, output in enumerate(outputs):
            found = compared(self._contract, answer, i, output)
            if (limit := self._contract.tolerance.max_relative_l2) is not None:
                # ||e|| <= limit ||golden|| bounds the largest error too; rows are read that way.
                bound = limit * float(answer.golden[i].double().norm())
                found = dataclasses.replace(found, bound=bound)
            rows.append(_row(answer, answer.names[i] if answer.names else "", found, hidden))
        self._docket.accuracy += rows
        return rows

    def _conclude(self, gate: Gate, rows: list[AccuracyRow]) -> None:
        failed = [row for row in rows if not row.passed]
        gate.measurements = {"calls": len(rows), "failed": len(failed)}
        if not rows:
            self._skip(gate, "the contract asks nothing here of this operator")
        elif failed:
            worst = failed[0]
            raise Broken(
                f"{len(failed)} of {len(rows)} outputs wrong; "
                f"{worst.workload} ({worst.dtype}, {worst.direction}): {worst.reason}"
            )
        else:
            gate.summary = f"{len(rows)} outputs within bounds, {_worst(rows)}"

    def _skip(self, gate: Gate, reason: str) -> None:
        """Note that the gate has nothing to ask of this operator, which is no fault of it."""
        gate.outcome, gate.summary, gate.required = Outcome.SKIPPED, reason, False

    def _bind(self, answer: Answer) -> None:
        if self._child is None:
            raise RuntimeError("the build gate makes the child")
        self._child.prepare(
            self._contract.id,
            self._docket.operator.target,
            answer.case,
            answer.natives[0],
            answer.flowing,
        )

    def _outputs(self, answer: Answer, *, rebind: bool = True) -> list[Tensor]:
        """Run one call and return its outputs, having looked for stray writes."""
        child = self._child
        if rebind or child is None or child.buffers is None:
            self._bind(answer)
            child = self._child
        if child is None or child.buffers is None:
            raise RuntimeError("a call needs a prepared child")
        buffers = child.buffers
        packed = image(
            buffers.in_plan, {**answer.case.tensors, **numbered("flowing", answer.flowing)}
        )
        with child.armed():
            child.call(packed, self._profile.prepare_s, timed=False)
        if stray := buffers.strays(packed):
            raise Fell(Fault.ALIAS, stray)
        return buffers.results()


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


def _nothing(reason: str) -> Comparison:
    return Comparison(
        max_error=LARGEST,
        rms_error=LARGEST,
        native_max_error=0.0,
        native_rms_error=0.0,
        bound=0.0,
        relative_l2=LARGEST,
        passed=False,
        reason=reason,
    )


def _row(answer: Answer, name: str, found: Comparison, hidden: bool) -> AccuracyRow:
    return AccuracyRow(
        workload=answer.workload.name,
        params=dict(answer.workload.params),
        dtype=str(answer.dtype).removeprefix("torch."),
        direction=f"backward:{name}" if name else "forward",
        max_error=_finite(found.max_error),
        rms_error=_finite(found.rms_error),
        native_max_error=_finite(found.native_max_error),
        native_rms_error=_finite(found.native_rms_error),
        bound=_finite(found.bound),
        relative_l2=_finite(found.relative_l2),
        passed=found.passed,
        hidden=hidden,
        reason=found.reason,
    )


def _finite(value: float) -> float:
    return value if abs(value) <= LARGEST else LARGEST


def _worst(rows: list[AccuracyRow]) -> str:
    shares = [row.max_error / row.bound for row in rows if row.bound > 0]
    return f"worst at {max(shares, default=0.0):.0%} of its bound"
