"""Records that pass from the quality gate to the cost of the same calls."""

from __future__ import annotations

import dataclasses
import statistics

from dougong.contracts.definition import Case


@dataclasses.dataclass(frozen=True)
class Sent:
    """One call as it was sent, and a digest of what came back."""

    case: Case
    out_bits: bytes

    @property
    def length(self) -> int:
        """Return the number of keys."""
        k = self.case.tensors["k"]
        return 0 if k is None else k.shape[2]


@dataclasses.dataclass
class Times:
    """Microseconds of one length, paired by position."""

    baseline_us: list[float] = dataclasses.field(default_factory=list)
    candidate_us: list[float] = dataclasses.field(default_factory=list)

    @property
    def speedup(self) -> float:
        """Return the median of the paired ratios."""
        pairs = zip(self.baseline_us, self.candidate_us, strict=True)
        return statistics.median(base / mine for base, mine in pairs)
