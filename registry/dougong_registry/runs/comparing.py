"""Do two runs of one operator say the same? The whole rule, as one pure function."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

SPEED_MATTERS = 1.05
"""Less than this factor is within what a user can feel; the judge's own bar for "faster"."""
ERROR_MATTERS = 2.0
"""One bit of precision."""

Board = tuple[str, str]
"""Dtype and mode; both empty where the whole run is meant."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run found on one board."""

    speedup: float
    ci_low: float
    ci_high: float
    relative_l2: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a run found: its outcome, and its boards."""

    outcome: str
    boards: Mapping[Board, Measured]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that two runs say differently."""

    board: Board
    what: str
    """`outcome`, `speed` or `error`."""
    worse: bool
    """Whether the later run is the worse one."""
    words: str


def differences(before: Found, after: Found) -> tuple[Difference, ...]:
    """Return what two runs of one operator, suite and kind of machine say differently.

    Outcome: one passed and the other failed. Nothing else is compared then.

    Speed, board by board: the two 95 % intervals do not overlap, *and* the speed-ups differ by more
    than `SPEED_MATTERS`. Two independent 95 % intervals of equal width that do not overlap reject
    equality at z > 1.96 * sqrt(2) = 2.77, that is at 0.6 % (Schenker & Gentleman 2001, "On judging
    the significance of differences by examining the overlap between confidence intervals", The
    American Statistician 55:182), so a run of eight boards is called different wrongly in less than
    5 % (Bonferroni). That holds for what the interval holds, the spread over restarts of one
    session; sessions differ a little more (Kalibera & Jones 2013), and an interval of five restarts
    is narrower than it claims. Hence the second condition: a difference must also be large enough
    to matter, as in criterion.rs, where an interval must clear a noise threshold.

    Error, board by board: the worst relative error grew by more than `ERROR_MATTERS`. It is the
    largest of many on fresh inputs and has no interval; a factor of two is one bit of precision,
    which other inputs of the same workloads do not cost.

    A board that only one of them measured is not compared. What judge, torch or release made the
    runs is for the caller to ask: this says whether they differ, not whether they may.
    """
    if before.outcome != after.outcome:
        worse = after.outcome != "passed"
        words = f"{before.outcome} before, {after.outcome} now"
        return (Difference(board=("", ""), what="outcome", worse=worse, words=words),)
    found: list[Difference] = []
    for board in sorted(before.boards.keys() & after.boards.keys()):
        one, other = before.boards[board], after.boards[board]
        found += filter(None, (_speed(board, one, other), _error(board, one, other)))
    return tuple(found)


def _speed(board: Board, before: Measured, after: Measured) -> Difference | None:
    apart = after.ci_high < before.ci_low or after.ci_low > before.ci_high
    if not apart or abs(math.log(after.speedup / before.speedup)) <= math.log(SPEED_MATTERS):
        return None
    return Difference(
        board=board,
        what="speed",
        worse=after.speedup < before.speedup,
        words=f"{_interval(before)} before, {_interval(after)} now ({' '.join(board)})",
    )


def _error(board: Board, before: Measured, after: Measured) -> Difference | None:
    if before.relative_l2 is None or after.relative_l2 is None:
        return None
    if after.relative_l2 <= ERROR_MATTERS * before.relative_l2:
        return None
    return Difference(
        board=board,
        what="error",
        worse=True,
        words=(
            f"relative error {before.relative_l2:.2g} before, {after.relative_l2:.2g} now "
            f"({' '.join(board)})"
        ),
    )


def _interval(row: Measured) -> str:
    return f"{row.speedup:.2f}x [{row.ci_low:.2f}, {row.ci_high:.2f}]"
