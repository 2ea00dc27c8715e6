"""Is the judge fair? The baseline's own code in the candidate's place must measure 1.0.

    python benchmarks/judge_fairness.py [--restarts N] [--json]

Judges first-party operators that are the very call their contract's baseline makes, in ordinary
sandboxes, and looks at the logarithm of each restart's ratio: of the candidate, whose sandbox has
the plugin in it, and of the A/A control. Bar: both means within three standard errors of zero, or
within 1 %.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
from typing import Any

from dougong_ci.judge import PROFILES, JudgeRequest, judge
from dougong_ci.report.score import restart_log_ratios
from dougong_ci.report.verdict import Verdict

SAME_AS_BASELINE = ("dougong/layer-torch", "dougong/rms-torch", "dougong/silu-torch")
BAR = 0.01


def ratios(verdicts: list[Verdict]) -> dict[str, list[float]]:
    """Return ln(baseline / party) of every restart and workload, by party."""
    cases = [case for verdict in verdicts for case in verdict.speed]
    return {
        "candidate": [y for c in cases for y in restart_log_ratios(c.baseline_us, c.candidate_us)],
        "control": [y for c in cases for y in restart_log_ratios(c.baseline_us, c.control_us)],
    }


def row(party: str, values: list[float]) -> dict[str, Any]:
    """Summarise one party; in percent."""
    mean, spread = statistics.mean(values), statistics.stdev(values)
    error = spread / len(values) ** 0.5
    return {
        "party": party,
        "measurements": len(values),
        "mean_percent": 100 * mean,
        "standard_error_percent": 100 * error,
        "scatter_percent": 100 * spread,
        "fair": abs(mean) <= max(3 * error, BAR),
    }


def main() -> int:
    """Print a table, or JSON; exit status 1 where a party is favoured."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--restarts", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    profile = dataclasses.replace(PROFILES["standard"], looks=(arguments.restarts,))
    request = JudgeRequest(
        installed=SAME_AS_BASELINE, operators=SAME_AS_BASELINE, profile=profile, repeat="benchmark"
    )
    table = [row(party, values) for party, values in ratios(judge(request)).items()]
    if arguments.json:
        print(json.dumps(table, indent=2))
    else:
        print("party        n   mean ± standard error   scatter between restarts")
        for each in table:
            print(
                f"{each['party']:10}{each['measurements']:4}{each['mean_percent']:+8.2f} % ± "
                f"{each['standard_error_percent']:.2f} %{each['scatter_percent']:18.1f} %"
            )
    return 0 if all(each["fair"] for each in table) else 1


if __name__ == "__main__":
    raise SystemExit(main())
