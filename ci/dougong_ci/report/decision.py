"""Is it faster by more than a bar? Decided by counting restarts, in looks fixed beforehand.

One restart gives one number S_p, the weighted mean over workloads of ln(baseline / candidate). At
a look after P restarts an operator is `faster` where at least `wins` of them beat the bar,
`not_faster` where at least as many fall below it, and otherwise the next look decides:

    after  7 restarts   all 7        0.78 %
    after 13 restarts   12 of 13     0.17 %
    after 20 restarts   18 of 20     0.02 %
    after 32 restarts   26 of 32     0.03 %

The last column is the chance of that many wins where the true median lies exactly on the bar, when
each restart is a fair coin. Together they are below 1 %, for any distribution of noise: all that is
assumed is that restarts are independent and share a median (sign test; the sum is Bonferroni's
bound over the looks). Identical code, 5 % away from the bar, does not come near it.

Standard library only: the judge decides and the hub decides again from the raw times.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence

from dougong_ci.report.verdict import SpeedCase

FASTER = 1.05
"""Speed-up over the baseline that counts as faster at all; less is within what a user can feel."""
LOOKS = {7: 7, 13: 12, 20: 18, 32: 26}
"""Restarts after which a look is taken, and the wins that decide there."""
REGRESSED = 0.9
"""A workload that is slower than this cannot be made up for by others."""


class Decision(enum.StrEnum):
    """What the looks came to."""

    FASTER = "faster"
    NOT_FASTER = "not_faster"
    UNDECIDED = "undecided"


def decide(restart_scores: Sequence[float], bar: float) -> Decision:
    """Say whether the median of exp(score) lies above a bar, by the first look that can tell.

    Args:
        restart_scores: S_p of each restart, in the order they ran.
        bar: Speed-up to beat, above 0.
    """
    limit = math.log(bar)
    for restarts, wins in LOOKS.items():
        seen = restart_scores[:restarts]
        if len(seen) < restarts:
            break
        if sum(score > limit for score in seen) >= wins:
            return Decision.FASTER
        if sum(score < limit for score in seen) >= wins:
            return Decision.NOT_FASTER
    return Decision.UNDECIDED


def false_accept_bound() -> float:
    """Return the largest chance of deciding `faster` where the truth lies on the bar."""
    return math.fsum(
        math.comb(restarts, losses) / 2**restarts
        for restarts, wins in LOOKS.items()
        for losses in range(restarts - wins + 1)
    )


def decide_board(
    cases: Sequence[SpeedCase], ratios: Sequence[Sequence[float]], scores: Sequence[float]
) -> Decision:
    """Decide one board: faster than `FASTER` over all, and no single workload made worse.

    Args:
        cases: Those measured, of one dtype and mode.
        ratios: Of each case, ln(baseline / candidate) by restart.
        scores: S_p by restart.
    """
    found = decide(scores, FASTER)
    if found is Decision.FASTER and regressed(cases, ratios):
        return Decision.NOT_FASTER
    return found


def regressed(cases: Sequence[SpeedCase], ratios: Sequence[Sequence[float]]) -> list[str]:
    """Return the names of workloads that are surely slower than `REGRESSED` of the baseline.

    Each is tested at 0.8 %, so that with six workloads one is named wrongly in less than 5 %.
    """
    return [
        case.workload
        for case, values in zip(cases, ratios, strict=True)
        if decide(values, REGRESSED) is Decision.NOT_FASTER
    ]
