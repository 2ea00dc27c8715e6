"""Who catches what? Two public tools and Dougong's judge on the corpus of cheats, side by side.

    python benchmarks/compare_tools.py [--only NAME ...] [--judge | --selftest FILE]
                                       [--json FILE] [--from FILE] [--markdown PAGE]

Installs `kernels` and `kernelguard` into an environment of their own, gives each the most
favourable honest set-up, and prints a table. Cheats run inside the judge's sandbox only. See
docs/other-tools.md for what each answer means.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import secrets
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

_ROOT = Path(__file__).resolve().parent.parent
_CORPUS = _ROOT / "tests" / "ci" / "corpus"
_PACKAGE = _CORPUS / "submission" / "corpus_cheats"
sys.path[:0] = [str(_ROOT / "benchmarks"), str(_CORPUS)]

from catalogue import CHEATS, CONTROLS, Cheat, Entry  # noqa: E402
from other_tools import environment, judged, kernel_hub, show, static_scan  # noqa: E402
from other_tools.extract import extract  # noqa: E402
from other_tools.row import Row  # noqa: E402


def measure(entry: Entry, programs: Path, *, seed: int, timeout_s: float) -> Row:
    """Ask both tools about one operator."""
    fields = entry.fields()
    target = fields["target"].partition(":")[2]
    source = extract(_PACKAGE, entry.module, target)
    return Row(
        name=entry.name,
        title=entry.title,
        number=entry.number,
        cheat=isinstance(entry, Cheat),
        run=kernel_hub.benchmark(programs, source, fields, seed=seed, timeout_s=timeout_s),
        scan=static_scan.scan(programs, source, target),
        strict=static_scan.scan(programs, source, target, "strict"),
        judged=judged.expected(entry),
    )


def measure_all(entries: Sequence[Entry], arguments: argparse.Namespace) -> dict[str, Any]:
    """Ask both tools about some operators; the answer says on what machine."""
    programs = environment.prepare(arguments.environment)
    seed = secrets.randbits(31) if arguments.seed is None else arguments.seed
    before = os.getloadavg()[0]

    def one(entry: Entry) -> Row:
        return measure(entry, programs, seed=seed, timeout_s=arguments.timeout)

    with ThreadPoolExecutor(arguments.jobs) as pool:
        console = Console(stderr=True)
        rows = list(track(pool.map(one, entries), "asking", len(entries), console=console))
    return {
        "kernels": environment.KERNELS,
        "kernelguard": environment.KERNELGUARD,
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "load": f"{before:.1f} before, {os.getloadavg()[0]:.1f} after",
        "seed": seed,
        "rows": [dataclasses.asdict(row) for row in rows],
    }


def merged(kept: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the new answers, and those kept of all other operators."""
    by_name = {row["name"]: row for row in (*kept["rows"], *new["rows"])}
    order = [entry.name for entry in (*CHEATS, *CONTROLS)]
    return new | {"rows": [by_name[name] for name in order if name in by_name]}


def with_judged(rows: Sequence[Row], arguments: argparse.Namespace) -> list[Row]:
    """Put what the judge found in place of what the catalogue asks, where it was run."""
    found: dict[str, judged.Judged] = {}
    if arguments.selftest:
        found = judged.read(arguments.selftest.read_text())
    elif arguments.judge:
        found = judged.judge(_CORPUS / "selftest.py", [row.name for row in rows])
    return [dataclasses.replace(row, judged=found.get(row.name, row.judged)) for row in rows]


def _measured(data: dict[str, Any]) -> str:
    return (
        f"kernels {data['kernels']}, kernelguard {data['kernelguard']}, torch {data['torch']}; "
        f"{data['machine']}, load {data['load']}; seed {data['seed']}."
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="*", default=(), help="names of the corpus")
    own = parser.add_mutually_exclusive_group()
    own.add_argument("--judge", action="store_true", help="run Dougong's judge too")
    own.add_argument("--selftest", type=Path, help="what `selftest.py --json` printed")
    parser.add_argument("--json", type=Path, help="keep the answers in this file")
    parser.add_argument(
        "--from",
        dest="kept",
        type=Path,
        help="answers kept by --json; what --only names is asked again",
    )
    parser.add_argument("--markdown", type=Path, help="write the table into this page")
    parser.add_argument("--seed", type=int, help="of the inputs; random by default")
    parser.add_argument("--timeout", type=float, default=480.0, help="seconds for one operator")
    parser.add_argument("--jobs", type=int, default=1, help="more disturb each other's timing")
    parser.add_argument("--environment", type=Path, default=environment.default_folder())
    return parser.parse_args()


def main() -> int:
    """Print the table."""
    arguments = _arguments()
    entries = [e for e in (*CHEATS, *CONTROLS) if not arguments.only or e.name in arguments.only]
    data = json.loads(arguments.kept.read_text()) if arguments.kept else {"rows": []}
    if arguments.only or not arguments.kept:
        data = merged(data, measure_all(entries, arguments))
    rows = with_judged([Row.of(row) for row in data["rows"]], arguments)
    if arguments.json:
        data["rows"] = [dataclasses.asdict(row) for row in rows]
        arguments.json.write_text(json.dumps(data, indent=1))
    console = Console(width=None if sys.stdout.isatty() else 120)
    show.show(rows, console)
    console.print(f"\n[dim]{_measured(data)}")
    if arguments.markdown:
        show.write(arguments.markdown, show.markdown(rows, _measured(data)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
