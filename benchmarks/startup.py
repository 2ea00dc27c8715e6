"""What starting costs: `import dougong` and `dougong --help`, each in fresh processes.

The three commands take turns, so that a busy moment meets them alike; `python -c pass` is the part
that is Python's own. Times are of the whole process. Also says whether torch was loaded.

    python benchmarks/startup.py [--rounds 15] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

SCRIPT = str(Path(sysconfig.get_path("scripts")) / "dougong")
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import dougong": [sys.executable, "-c", "import dougong"],
    "dougong --help": [SCRIPT, "--help"],
}
BARS_MS = {"import dougong": 60.0, "dougong --help": 150.0}
PROGRAMS = {
    "import dougong": "import dougong",
    "dougong --help": (
        "sys.argv[1:] = ['--help']; import contextlib, io\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    from dougong.cli import main; main()\n"
    ),
}


def took_ms(command: list[str]) -> float:
    """Run a command to its end and return the time it took, in milliseconds."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return 1e3 * (time.perf_counter() - began)


def torch_loaded(program: str) -> bool:
    """Whether a program leaves torch in memory."""
    code = f"import sys\n{program}\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split()[-1] == "True"


def rows(rounds: int) -> list[dict[str, Any]]:
    """Measure every command `rounds` times, after one round that warms the file cache."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for i in range(rounds + 1):
        for name, command in COMMANDS.items():
            spent_ms = took_ms(command)
            if i:
                times[name].append(spent_ms)
    return [
        {
            "command": name,
            "median_ms": round(statistics.median(spent), 1),
            "low_ms": round(min(spent), 1),
            "high_ms": round(max(spent), 1),
            "bar_ms": BARS_MS.get(name),
            "torch_loaded": torch_loaded(PROGRAMS[name]) if name in PROGRAMS else False,
        }
        for name, spent in times.items()
    ]


def main() -> int:
    """Print a table, or JSON; exit status 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    table = rows(arguments.rounds)
    if arguments.json:
        print(json.dumps(table, indent=2))
    else:
        print(f"{'command':18}{'median':>10}{'low':>9}{'high':>9}{'bar':>9}   torch loaded")
        for row in table:
            bar = f"{row['bar_ms']:.0f} ms" if row["bar_ms"] else ""
            print(
                f"{row['command']:18}{row['median_ms']:7.1f} ms{row['low_ms']:9.1f}"
                f"{row['high_ms']:9.1f}{bar:>9}   {'yes' if row['torch_loaded'] else 'no'}"
            )
    met = all(r["median_ms"] < (r["bar_ms"] or 1e9) and not r["torch_loaded"] for r in table)
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
