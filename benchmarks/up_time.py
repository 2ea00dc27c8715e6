"""How long from `dougong up` to boards filled, and where the time goes.

    python benchmarks/up_time.py [--submit PATH ...]

Starts a hub on an empty state folder, submits the first-party operators like anyone, waits for
every verdict, stops. Bar: under 300 s on two cores.
"""

from __future__ import annotations

import argparse
import collections
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BAR_S = 300.0
ROOT = Path(__file__).parent.parent


def main() -> int:
    """Measure once; exit 1 where something has no verdict or the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    own = [ROOT / "plugins", ROOT / "kernels"]
    parser.add_argument("--submit", type=Path, nargs="+", default=own)
    submit = parser.parse_args().submit
    with tempfile.TemporaryDirectory(prefix="dougong-up-") as home:
        started = time.monotonic()
        command = [Path(sys.executable).with_name("dougong"), "up", "--home", home, "--port", "0"]
        arguments = [word for path in submit for word in ("--submit", path)]
        arguments += ["--until-judged", "--json"]
        outcomes: collections.Counter[str] = collections.Counter()
        print(f"{'seconds':>8}  {'at':>7}  what")
        with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as up:
            before = started
            for line in up.stdout or ():
                now, event = time.monotonic(), json.loads(line)
                if event["event"] == "operator":
                    outcomes[event["outcome"]] += 1
                if event["event"] in ("step", "operator"):
                    what = f"{event['name']} {event.get('code', '')}"
                    print(f"{now - before:8.1f}  {now - started:7.1f}  {what}", flush=True)
                    before = now
                if event["event"] == "end":
                    print("\n".join(event["problems"]))
        took_s = time.monotonic() - started
    verdicts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    print(f"{took_s:8.1f} s in all, stopped; bar {BAR_S:.0f} s; verdicts: {verdicts}")
    return int(up.returncode != 0 or took_s > BAR_S)


if __name__ == "__main__":
    raise SystemExit(main())
