"""What a plugin's own tests need: hold an operator to its contract, without the judge.

The same workloads and the same rule as the judge's accuracy gate, in this process and with a public
seed. A green test is a good sign; the verdict is the judge's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dougong.contracts import contract as contract_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from dougong.contracts.accuracy import Comparison
    from dougong.contracts.definition import Case, Contract, Workload
    from dougong.operator import Operator

PUBLIC_SEED = 20260101


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One output or gradient of one workload, compared."""

    workload: str
    what: str
    """`output 0`, or `gradient of weight`."""
    comparison: Comparison

    def __str__(self) -> str:
        return f"{self.workload}, {self.what}: {self.comparison.reason or 'passed'}"


def assert_accurate(operator: Operator, *, dtype: str = "float32", seed: int = PUBLIC_SEED) -> None:
    """Assert that an operator computes what its contract says, forward and backward.

    Args:
        operator: Its metadata; the target is imported.
        dtype: torch dtype name without the prefix, one that the operator declares.
        seed: Any other seed gives other inputs.

    Raises:
        AssertionError: an output or a gradient is out of bounds; the first few are named.
        ValueError: the operator does not declare the dtype, or the contract does not ask it.
    """
    findings = list(measure(operator, dtype=dtype, seed=seed))
    if failed := [finding for finding in findings if not finding.comparison.passed]:
        shown = "\n".join(map(str, failed[:5]))
        raise AssertionError(
            f"{operator.name} ({dtype}) fails {len(failed)} of {len(findings)} comparisons with "
            f"{operator.contract}:\n{shown}"
        )
    if not findings:
        raise AssertionError(f"{operator.contract} asks nothing of {operator.name} in {dtype}")


def measure(
    operator: Operator, *, dtype: str = "float32", seed: int = PUBLIC_SEED
) -> Iterator[Finding]:
    """Compare every public workload; see `assert_accurate`."""
    import torch

    contract = contract_of(operator.contract)
    for holder, dtypes in ((operator.name, operator.dtypes), (contract.id, contract.dtypes)):
        if dtype not in dtypes:
            raise ValueError(
                f"dtype must be one of {', '.join(dtypes)} for {holder}, got {dtype!r}"
            )
    target = operator.load()
    for workload in _workloads(contract, operator):
        case = contract.generate(workload, seed, getattr(torch, dtype))
        yield from _outputs(contract, target, workload, case, getattr(torch, dtype))
        if operator.gradients != "none" and contract.gradient != "none" and case.differentiable:
            yield from _gradients(contract, target, workload, case, getattr(torch, dtype), seed)


def _workloads(contract: Contract, operator: Operator) -> list[Workload]:
    features = contract.features_of(operator)
    asked = [*contract.select("accuracy", features), *contract.select("edge", features)]
    return list({workload.name: workload for workload in asked}.values())


def _outputs(
    contract: Contract, target: object, workload: Workload, case: Case, dtype: torch.dtype
) -> Iterator[Finding]:
    import torch

    from dougong.contracts import evaluate

    golden = evaluate.golden(contract, case)
    natives = evaluate.natives(contract, case)
    with torch.no_grad():
        outputs = contract.bind(target, case)(case.tensors)
    for index, (output, expected) in enumerate(zip(outputs, golden, strict=True)):
        native = [each[index] for each in natives]
        comparison = _compare(contract, workload, output, native, expected, dtype)
        yield Finding(workload=workload.name, what=f"output {index}", comparison=comparison)


def _gradients(
    contract: Contract,
    target: object,
    workload: Workload,
    case: Case,
    dtype: torch.dtype,
    seed: int,
) -> Iterator[Finding]:
    from dougong.contracts import evaluate

    flowing = evaluate.cotangents(evaluate.golden(contract, case), seed, dtype)
    golden = evaluate.golden_gradients(contract, case, flowing)
    natives = evaluate.native_gradients(contract, case, flowing)
    found = evaluate.gradients(contract.bind(target, case), case, flowing)
    for name, gradient in found.items():
        native = [each[name] for each in natives]
        comparison = _compare(
            contract, workload, gradient, native, golden[name], dtype, gradient=True
        )
        yield Finding(workload=workload.name, what=f"gradient of {name}", comparison=comparison)


def _compare(
    contract: Contract,
    workload: Workload,
    output: Tensor,
    native: list[Tensor],
    expected: Tensor,
    dtype: torch.dtype,
    *,
    gradient: bool = False,
) -> Comparison:
    from dougong.contracts.accuracy import compare

    tolerance = contract.tolerance
    return compare(
        output,
        native,
        expected,
        tolerance=tolerance,
        dtype=dtype,
        scale=tolerance.cap_scale(workload) if tolerance.cap_scale else 1.0,
        gradient=gradient,
    )
