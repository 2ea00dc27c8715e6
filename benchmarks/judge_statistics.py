"""Is the speed gate right? Whole verdicts on operators whose true speed is known.

    python benchmarks/judge_statistics.py same [--verdicts 200] [--loaded] [--json]
    python benchmarks/judge_statistics.py faster [--verdicts 100] [--json]

`same` judges the baseline's own code: none may be found faster. With `--loaded` two other processes
keep two cores busy: every verdict must be inconclusive, none failed. `faster` judges a spelling of
the baseline that is faster by itself and slowed by extra work, calibrated beforehand by the judge
on this machine, until it is 1.10x as fast: at least 95 % must be found faster.

Several operators share a judgement, as those of a plugin do; each has processes of its own.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import json
import math
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dougong_ci.judge import PROFILES, JudgeRequest, Profile, judge
from dougong_ci.report.score import by_restart, restart_log_ratios
from dougong_ci.report.verdict import Verdict

TARGET = 1.10
TOGETHER = 20
"""Operators of one judgement."""
PROBES = (0.0, 0.25, 0.5, 1.0)
"""Extra work tried in the calibration, as shares of the input's elements."""

PLUGIN = """
import dougong

@dougong.hookimpl
def dougong_register_activation():
    return [
        dougong.Operator(name=f"known/{{name}}", contract="activation.squared_relu@1",
                         target=f"known_code:{{name.replace('-', '_')}}", dtypes=("float32",))
        for name in {names!r}
    ]
"""
CODE = """
import torch

def same(x):
    return torch.relu(x).square()

def extra(x, share):
    y = torch.relu(x).square_()
    flat, left = y.flatten(), round(share * y.numel())
    while left > 0:
        part = flat[:left]
        torch.relu(part)
        left -= part.numel()
    return y

"""


@contextlib.contextmanager
def plugin(functions: Mapping[str, str]) -> Iterator[Path]:
    """Write an unpacked wheel with one operator for each function (name -> source)."""
    with tempfile.TemporaryDirectory(prefix="dougong-known-") as scratch:
        folder = Path(scratch)
        info = folder / "known-1.dist-info"
        info.mkdir()
        info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: known\nVersion: 1\n")
        info.joinpath("entry_points.txt").write_text("[dougong]\nknown = known_plugin\n")
        (folder / "known_plugin.py").write_text(PLUGIN.format(names=list(functions)))
        (folder / "known_code.py").write_text(CODE + "\n".join(functions.values()))
        yield folder


def judged(functions: Mapping[str, str], profile: Profile) -> list[Verdict]:
    """Judge one operator for each function."""
    with plugin(functions) as folder:
        return judge(JudgeRequest(path=folder, profile=profile, repeat="benchmark"))


def same(names: Sequence[str]) -> dict[str, str]:
    """Return functions that do what the baseline does."""
    return {name: f"{name.replace('-', '_')} = same\n" for name in names}


def slowed(shares: Mapping[int, float], names: Sequence[str]) -> dict[str, str]:
    """Return functions with extra work by the number of elements of the input."""
    table = repr(dict(shares))
    return {
        name: f"def {name.replace('-', '_')}(x):\n    return extra(x, {table}.get(x.numel(), 0))\n"
        for name in names
    }


def calibrated() -> dict[int, float]:
    """Find, by the judge's own measurement, the extra work at which each workload is 1.10x."""
    profile = dataclasses.replace(PROFILES["standard"], looks=(24,), rounds=20, workload_s=0.3)
    functions: dict[str, str] = {}
    for share in PROBES:
        name = f"share-{round(100 * share)}"
        functions[name] = f"def {name.replace('-', '_')}(x):\n    return extra(x, {share})\n"
    verdicts = {str(v.subject.operator["name"]): v for v in judged(functions, profile)}
    curve: dict[int, list[tuple[float, float]]] = collections.defaultdict(list)
    for share in PROBES:
        for case in verdicts[f"known/share-{round(100 * share)}"].speed:
            ratio = statistics.median(restart_log_ratios(case.baseline_us, case.candidate_us))
            elements = math.prod(map(int, str(case.params["shape"]).split("x")))
            curve[elements].append((share, math.exp(-ratio)))
    return {elements: _solve(points) for elements, points in curve.items()}


def _solve(points: list[tuple[float, float]]) -> float:
    """Return the share of extra work at which the candidate takes 1 / TARGET of the time."""
    shares, times = zip(*points, strict=True)
    slope, start = statistics.linear_regression(shares, times)
    return max(0.0, (1 / TARGET - start) / slope)


@contextlib.contextmanager
def load(processes: int) -> Iterator[None]:
    """Keep cores busy from outside, for as long as this process lives."""
    spin = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
    busy = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(processes)]
    try:
        yield
    finally:
        for each in busy:
            each.kill()
            each.wait()


def summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Count what came out, and say how the restarts scattered."""
    decisions = collections.Counter(s.decision for v in verdicts for s in v.scores)
    medians, scatter = [], []
    for verdict in verdicts:
        ratios = [restart_log_ratios(c.baseline_us, c.candidate_us) for c in verdict.speed]
        if ratios:
            scores = by_restart(ratios, [c.weight for c in verdict.speed])
            medians.append(statistics.median(scores))
            scatter.append(statistics.stdev(scores))
    accepted = [
        v
        for v in verdicts
        if v.outcome == "passed" and any(s.decision == "faster" for s in v.scores)
    ]
    return {
        "verdicts": len(verdicts),
        "outcomes": dict(collections.Counter(v.code for v in verdicts)),
        "decisions": dict(decisions),
        "accepted_as_faster": len(accepted),
        "restarts": dict(collections.Counter(s.restarts for v in verdicts for s in v.scores)),
        "speedup_mean": math.exp(statistics.mean(medians)) if medians else None,
        "speedup_range": [math.exp(min(medians)), math.exp(max(medians))] if medians else None,
        "scatter_of_restarts_percent": 100 * statistics.mean(scatter) if scatter else None,
        "reasons": sorted({v.summary[:120] for v in verdicts if v.outcome != "passed"})[:10],
    }


def main() -> int:
    """Print the counts; exit status 1 where the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=("same", "faster"), nargs="?", default="same")
    parser.add_argument("--verdicts", type=int, default=20)
    parser.add_argument("--loaded", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    profile = PROFILES["standard"]
    shares = calibrated() if arguments.what == "faster" else {}
    verdicts: list[Verdict] = []
    with load(2 if arguments.loaded else 0):
        while len(verdicts) < arguments.verdicts:
            left = min(TOGETHER, arguments.verdicts - len(verdicts))
            names = [f"op-{i}" for i in range(left)]
            made = slowed(shares, names) if arguments.what == "faster" else same(names)
            verdicts += judged(made, profile)
            print(f"{len(verdicts)} verdicts", file=sys.stderr, flush=True)
    found = summary(verdicts) | {"loaded": arguments.loaded, "extra_work": shares}
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        for key, value in found.items():
            print(f"{key:28} {value}")
    return 0 if _good(found, arguments.what, loaded=arguments.loaded) else 1


def _good(found: Mapping[str, Any], what: str, *, loaded: bool) -> bool:
    if what == "faster":
        return bool(found["accepted_as_faster"] >= 0.95 * found["verdicts"])
    failed = [code for code in found["outcomes"] if code.startswith("REJECTED")]
    quiet = not loaded or set(found["outcomes"]) == {"INCONCLUSIVE_NOISE"}
    return found["accepted_as_faster"] == 0 and not failed and quiet


if __name__ == "__main__":
    raise SystemExit(main())
