"""What the author says of an operator, proved or refuted by the interval, one claim at a time."""

from __future__ import annotations

import re
from typing import Any

from dougong_ci.report.score import score_cases
from dougong_ci.report.verdict import SpeedCase

_SPEEDUP = re.compile(
    r"speedup\s*>=\s*(?P<bar>\d+(?:\.\d+)?)\s+over\s+(?P<baseline>[\w.-]+)\s+on\s+(?P<device>\w+)"
)


def settle(claims: tuple[str, ...], cases: list[SpeedCase], seed: int) -> list[dict[str, Any]]:
    """Return each claim with `proved`, `refuted` or `unmeasured`, and the reason.

    `speedup >= X over BASELINE on DEVICE` is proved where the 95 % interval lies at or above X,
    refuted where it lies below, and unmeasured where it holds X or nothing fitting was measured.
    """
    scores = score_cases(cases, seed)
    settled = []
    for claim in claims:
        match = _SPEEDUP.fullmatch(claim.strip())
        status, reason = "unmeasured", "this judge does not know how to measure it"
        if match:
            bar = float(match["bar"])
            fitting = [s for s in scores if s.mode == "infer"] or scores
            known = {case.baseline for case in cases}
            if match["device"] != "cpu" or match["baseline"] not in known or not fitting:
                reason = f"not measured over {match['baseline']} on {match['device']}"
            else:
                score = fitting[0]
                interval = f"{score.speedup:.3g} [{score.ci_low:.3g}, {score.ci_high:.3g}]"
                reason = f"measured {interval}"
                if score.ci_low >= bar:
                    status = "proved"
                elif score.ci_high < bar:
                    status = "refuted"
        settled.append({"claim": claim, "status": status, "reason": reason})
    return settled
