"""From one output to a row of the verdict: the comparison, its ratio to native error, its ULPs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import Tensor

from dougong.contracts.accuracy import Comparison
from dougong_ci.judge import ulps
from dougong_ci.judge.answers import Answer, compared
from dougong_ci.report.verdict import AccuracyRow, Histogram

LARGEST = 1.7976931348623157e308
"""Stands for an infinite error, because JSON has no infinity; the reason says what it was."""


class Spread:
    """Error histograms of all judged outputs, by dtype and direction."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], list[int]] = {}

    def add(self, row: AccuracyRow, counts: Sequence[int]) -> None:
        """Count the elements of one output."""
        key = (row.dtype, row.direction.partition(":")[0])
        before = self._counts.get(key, [0] * len(counts))
        self._counts[key] = [a + b for a, b in zip(before, counts, strict=True)]

    def histograms(self) -> list[Histogram]:
        """Return one histogram for each dtype and direction seen."""
        return [
            Histogram(dtype=dtype, direction=direction, ulp_edges=ulps.EDGES, counts=counts)
            for (dtype, direction), counts in self._counts.items()
        ]


def judged(
    answer: Answer, outputs: Sequence[Tensor], spread: Spread, *, hidden: bool
) -> list[AccuracyRow]:
    """Hold every output of a call to its golden.

    Args:
        answer: The call and what must come out.
        outputs: What came out, in the contract's order.
        spread: Where the errors are counted.
        hidden: Whether nobody had seen the workload before.
    """
    rows = []
    for i, output in enumerate(outputs):
        found, golden = compared(answer.contract, answer, i, output), answer.golden[i]
        if (limit := answer.contract.tolerance.max_relative_l2) is not None:
            # ||e|| <= limit ||golden|| bounds the largest error too; rows are read that way.
            found = dataclasses.replace(found, bound=limit * float(golden.double().norm()))
        fits = output.shape == golden.shape and output.dtype == answer.natives[0][i].dtype
        steps = ulps.steps(output, golden) if fits else ulps.NONE
        name = answer.names[i] if answer.names else ""
        row = _row(answer, name, found, steps, hidden)
        spread.add(row, steps.counts)
        rows.append(row)
    return rows


def fallen(answer: Answer, reason: str, *, hidden: bool) -> AccuracyRow:
    """Return the row of a call that gave nothing."""
    nothing = Comparison(
        max_error=LARGEST,
        rms_error=LARGEST,
        native_max_error=0.0,
        native_rms_error=0.0,
        bound=0.0,
        relative_l2=LARGEST,
        passed=False,
        reason=reason,
    )
    return _row(answer, "", nothing, ulps.NONE, hidden)


def said(row: AccuracyRow) -> str:
    """Return which call a row is of: workload, dtype and direction."""
    return f"{row.workload} ({row.dtype}, {row.direction})"


def worst(rows: Sequence[AccuracyRow]) -> str:
    """Say how near the bound the worst of the rows that passed came, and how far from native."""
    share = max((row.max_error / row.bound for row in rows if row.bound > 0), default=0.0)
    ratio = max((row.native_ratio for row in rows), default=0.0)
    native = f", at most {times(ratio)}x the native error" if ratio else ""
    return f"worst at {share:.0%} of its bound{native}"


def _row(
    answer: Answer, name: str, found: Comparison, steps: ulps.Steps, hidden: bool
) -> AccuracyRow:
    # An approximation is not held to the native error, which is next to nothing beside its own.
    relative = answer.contract.tolerance.max_relative_l2 is None and found.native_max_error > 0
    ratio = found.max_error / found.native_max_error if relative else 0.0
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
        reason=_reason(answer, found, ratio),
        native_ratio=_finite(ratio),
        ulp_p50=steps.p50,
        ulp_p99=steps.p99,
        ulp_max=steps.largest,
    )


def _reason(answer: Answer, found: Comparison, ratio: float) -> str:
    """Add to the reason how many times the native error it was, where that is the rule."""
    tolerance, dtype = answer.contract.tolerance, str(answer.dtype).removeprefix("torch.")
    if found.passed or dtype == "float64" or not 0 < ratio <= LARGEST:
        return found.reason
    allowed = tolerance.gradient_ratio if answer.names else tolerance.max_ratio
    return (
        f"{found.reason}; the maximum error is {times(ratio)}x the native {dtype} error, "
        f"at most {allowed:g}x and a rounding may be"
    )


def times(ratio: float) -> str:
    """Write a ratio to two significant digits, in full: 18 000, 340, 2.1."""
    if ratio < 10:
        return f"{ratio:.2g}"
    digits = f"{float(f'{ratio:.2g}'):,.0f}"
    return digits.replace(",", " ") if ratio < 1e9 else f"{ratio:.2g}"


def _finite(value: float) -> float:
    return value if abs(value) <= LARGEST else LARGEST
