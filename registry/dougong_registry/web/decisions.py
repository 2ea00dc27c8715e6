"""What the judge decided of a speed, in words: faster than the baseline by 5 %, or not, or open."""

from __future__ import annotations

from collections.abc import Iterable

from dougong_ci.report.decision import FASTER, LOOKS, REGRESSED, Decision
from dougong_registry.boards.rows import ScoreRow

WORDS = {
    Decision.FASTER: "faster",
    Decision.NOT_FASTER: "not faster",
    Decision.UNDECIDED: "undecided",
}


def word(decision: str) -> str:
    """Write a decision as a reader says it."""
    return WORDS[Decision(decision)]


def decided(scores: Iterable[ScoreRow]) -> list[tuple[ScoreRow, str]]:
    """Gather the scores that were decided alike, as (one of them, where: dtypes and modes)."""
    alike: dict[tuple[str, int], list[ScoreRow]] = {}
    for score in scores:
        alike.setdefault((score.decision, score.restarts), []).append(score)
    return [
        (each[0], ", ".join(f"{score.dtype} · {score.mode}" for score in each))
        for each in alike.values()
    ]


def rule() -> str:
    """Say when an operator counts as faster, or as not faster."""
    wins = [
        f"all of {restarts}" if needed == restarts else f"{needed} of {restarts}"
        for restarts, needed in LOOKS.items()
    ]
    return f"{', '.join(wins[:-1])} or {wins[-1]} restarts"


def meaning(decision: str, restarts: int) -> str:
    """Say what a decision rests on, in a sentence."""
    margin = f"{FASTER - 1:.0%}"
    return {
        Decision.FASTER: f"Beats the baseline by {margin} in {rule()}; {restarts} were run.",
        Decision.NOT_FASTER: (
            f"Falls short of {margin} over the baseline in {rule()}, or makes one workload slower "
            f"than {REGRESSED:g}×; {restarts} were run."
        ),
        Decision.UNDECIDED: (
            f"It takes {rule()} to tell whether it beats the baseline by {margin}; "
            f"{restarts} could not."
        ),
    }[Decision(decision)]
