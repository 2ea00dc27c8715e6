"""One line of the comparison, and how the lines are counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from other_tools.judged import Judged
from other_tools.kernel_hub import Run
from other_tools.static_scan import Scan

FASTER = 1.05
"""Speed-up from which a report is an advantage, as at Dougong's own speed gate."""


@dataclasses.dataclass(frozen=True)
class Row:
    """What three tools say of one operator of the corpus."""

    name: str
    title: str
    number: int
    cheat: bool
    run: Run
    scan: Scan
    strict: Scan
    """The same scan with the profile `strict`."""
    judged: Judged

    @classmethod
    def of(cls, data: dict[str, Any]) -> Row:
        """Return the row that `dataclasses.asdict` wrote."""
        scans = {
            k: Scan(**data[k] | {"rules": tuple(data[k]["rules"])}) for k in ("scan", "strict")
        }
        rest = {"run": Run(**data["run"]), "judged": Judged(**data["judged"]), **scans}
        return cls(**data | rest)


def counts(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return the foot of the table: tool, and a sentence."""
    cheats, honest = [r for r in rows if r.cheat], [r for r in rows if not r.cheat]
    return [
        ("kernels benchmark", _runs(cheats, honest)),
        ("KernelGuard", _scans(cheats, honest, lambda row: row.scan)),
        ("KernelGuard, strict", _scans(cheats, honest, lambda row: row.strict)),
        ("Dougong", _judged(cheats, honest)),
    ]


def _runs(cheats: Sequence[Row], honest: Sequence[Row]) -> str:
    of = [row.run.outcome for row in cheats]
    reported = [row.run for row in cheats if row.run.outcome == "reported"]
    ahead = sum(run.speedup is None or run.speedup > FASTER for run in reported)
    ended = of.count("stopped") + of.count("endless")
    return (
        f"{of.count('refused')} of {len(cheats)} cheats refused by its check, {ended} ended by an "
        f"error or the time limit, {of.count('silent')} left with exit status 0 and no report, "
        f"{len(reported)} reported as verified ({ahead} of them as faster than {FASTER}x); "
        f"{_honest([row.run for row in honest])}"
    )


def _honest(runs: Sequence[Run]) -> str:
    """Say how many were reported, and between which speed-ups: that is how noisy they are."""
    ratios = [run.speedup for run in runs if run.speedup is not None]
    span = f" (as {min(ratios):.2f}x to {max(ratios):.2f}x)" if ratios else ""
    return f"{sum(run.outcome == 'reported' for run in runs)} of {len(runs)} honest reported{span}"


def _scans(cheats: Sequence[Row], honest: Sequence[Row], pick: Callable[[Row], Scan]) -> str:
    bad, good = [pick(row) for row in cheats], [pick(row) for row in honest]
    looked = sum(scan.flagged and not scan.filtered for scan in bad)
    noted = sum(bool(scan.rules) and not scan.flagged for scan in bad)
    return (
        f"{sum(scan.filtered for scan in bad)} of {len(cheats)} cheats filtered, {looked} "
        f"suspicious, {noted} noted without consequence; {sum(scan.flagged for scan in good)} of "
        f"{len(honest)} honest flagged"
    )


def _judged(cheats: Sequence[Row], honest: Sequence[Row]) -> str:
    if any(row.judged.right is None for row in (*cheats, *honest)):
        return "not run: what the catalogue asks for; --judge runs it"
    return (
        f"{sum(row.judged.right is True for row in cheats)} of {len(cheats)} cheats refused, "
        f"{sum(row.judged.right is True for row in honest)} of {len(honest)} honest kept"
    )
