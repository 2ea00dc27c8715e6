"""What a hub bears: many readers at once, one write in twenty requests, and a busy core beside it.

Readers come a little faster than the bar, not as fast as they can: a queue that is never empty says
nothing of how long an answer takes. `--flat-out` lets them.

Serves the hub that DOUGONG_HOME and DOUGONG_DATABASE_URL name, as `dougong up` does. Readers are
`wrk` (Debian package `wrk`) on addresses drawn from the hub; writers submit small wheels of their
own, each a different one, and count every answer. A process that computes without rest stands for
the judge. Afterwards every accepted write is looked for.

    python benchmarks/hub_load.py --token dgp_... [--seconds 20] [--flat-out] [--json]
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import io
import json
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from hub_pages import kinds, served
from rich.console import Console
from rich.table import Table

MIXES = {
    "cached pages": (("/", "/boards/", "/operators/ by family", "/hardware/", "/people/"), 500.0),
    "board pages": (("/boards/*",), 150.0),
}
WARM = 4
"""Times that each address is asked for beforehand, so that every web process has it."""
P99_BAR_MS = 250.0
SHARE_BAR = 0.05
"""Of writes among all requests."""
WRITERS = 6
SHARE = 0.07
"""Of writes to reads at the bar: a little over one in twenty, as the reads are over it too."""
PACE = 1.4
"""Reads asked for, as a share of the bar, if answers took no time."""
_SCRIPT = """
local addresses = {%s}
local at = 0
function delay() return math.random(0, 2 * %d) end -- readers do not come in step
function request() at = at %% #addresses + 1; return wrk.format("GET", addresses[at]) end
function done(summary, latency, requests)
  io.write(string.format('{"requests": %%d, "p50_ms": %%f, "p99_ms": %%f, "bad": %%d}\\n',
    summary.requests, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.errors.status + summary.errors.connect + summary.errors.read
      + summary.errors.write + summary.errors.timeout))
end
"""


def spin() -> None:
    """Compute without rest, at the priority that workers judge at."""
    os.nice(10)
    while True:
        sum(range(10_000))


@contextlib.contextmanager
def judging() -> Iterator[None]:
    """Keep one core busy."""
    process = multiprocessing.Process(target=spin, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()


class Writer(threading.Thread):
    """Submits one small wheel after the other at a steady rate, and remembers what was accepted."""

    def __init__(self, url: str, token: str, rate: float) -> None:
        super().__init__(daemon=True)
        self.client = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60
        )
        self.rate, self.over = rate, threading.Event()
        self.accepted: list[int] = []
        self.refused: list[str] = []
        self.times_ms: list[float] = []

    def run(self) -> None:
        name = f"load-{random.randrange(10**9)}"
        number, due = 0, time.monotonic()
        while not self.over.wait(max(0.0, due - time.monotonic())):
            number, due = number + 1, max(due, time.monotonic() - 1) + 1 / self.rate
            filename, data = wheel(name, f"1.{number}")
            began = time.perf_counter()
            answer = self.client.post("/api/v1/submissions", files={"wheel": (filename, data)})
            self.times_ms.append(1e3 * (time.perf_counter() - began))
            if answer.status_code == 201:
                self.accepted.append(answer.json()["id"])
            else:
                self.refused.append(f"{answer.status_code} {answer.text[:200]}")

    def lost(self) -> int:
        """Count the accepted submissions that the hub does not know afterwards."""
        return sum(
            self.client.get(f"/api/v1/submissions/{each}").status_code != 200
            for each in self.accepted
        )


def wheel(name: str, version: str) -> tuple[str, bytes]:
    """Return the filename and the bytes of a wheel that holds one module."""
    module, stem = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}"
    texts = {
        f"{module}.py": f"VERSION = {version!r}\n",
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: load\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
        f"{stem}.dist-info/entry_points.txt": f"[dougong]\n{name} = {module}\n",
    }
    rows = [
        f"{path},sha256="
        + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        + f",{len(text)}"
        for path, text in texts.items()
    ]
    texts[f"{stem}.dist-info/RECORD"] = "\n".join([*rows, f"{stem}.dist-info/RECORD,,", ""])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in texts.items():
            archive.writestr(path, text)
    return f"{stem}-py3-none-any.whl", buffer.getvalue()


def read(
    url: str, addresses: list[str], seconds: int, connections: int, pause_ms: int
) -> dict[str, Any]:
    """Let `wrk` ask for the addresses in turn; return what it counted."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "addresses.lua"
        script.write_text(_SCRIPT % (", ".join(json.dumps(each) for each in addresses), pause_ms))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"^\{.*\}$", done.stdout, re.MULTILINE)
    assert found, done.stdout
    answer: dict[str, Any] = json.loads(found[0])
    return answer | {"requests_per_s": answer["requests"] / seconds}


def loaded(
    url: str, token: str, addresses: list[str], bar: float, options: argparse.Namespace
) -> dict[str, Any]:
    """Read and write at once, with a busy core beside it; return what came of both."""
    writers = [Writer(url, token, rate=bar * SHARE / WRITERS) for _ in range(WRITERS)]
    pause_ms = 0 if options.flat_out else int(1e3 * options.connections / bar / PACE)
    with judging():
        for writer in writers:
            writer.start()
        row = read(url, addresses, options.seconds, options.connections, pause_ms)
        for writer in writers:
            writer.over.set()
        for writer in writers:
            writer.join()
    accepted = sum(len(writer.accepted) for writer in writers)
    refused = [each for writer in writers for each in writer.refused]
    return row | {
        "bar_per_s": bar,
        "writes": accepted,
        "writes_refused": len(refused),
        "writes_lost": sum(writer.lost() for writer in writers),
        "first_refusal": next(iter(refused), ""),
        "write_share": accepted / (row["requests"] + accepted),
    }


def missed(row: dict[str, Any]) -> bool:
    """Whether a mix misses one of its bars."""
    return bool(
        row["requests_per_s"] < row["bar_per_s"]
        or row["p99_ms"] >= P99_BAR_MS
        or row["write_share"] < SHARE_BAR
        or row["bad"] + row["writes_refused"] + row["writes_lost"]
    )


def table_of(rows: dict[str, dict[str, Any]]) -> Table:
    """Lay the mixes out, a line each."""
    counts = ("bad", "writes", "writes_refused", "writes_lost")
    heads = ("mix", "reads/s", "p50 ms", "p99 ms", "bad", "writes", "refused", "lost", "share")
    table = Table(*heads)
    for name, row in rows.items():
        table.add_row(
            name,
            f"{row['requests_per_s']:.0f} (bar {row['bar_per_s']:.0f})",
            f"{row['p50_ms']:.1f}",
            f"{row['p99_ms']:.1f}",
            *(str(row[each]) for each in counts),
            f"{row['write_share']:.1%}",
        )
    return table


def main() -> int:
    """Print the table; exit status 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--flat-out", action="store_true", help="read without a pause")
    parser.add_argument("--token", required=True, help="of a submitter: `dougong-hub token_create`")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        print("wrk is missing: install the Debian package wrk", file=sys.stderr)
        return 2
    os.environ.setdefault("DOUGONG_PAGE_KEPT_S", "10")
    rows: dict[str, dict[str, Any]] = {}
    with served() as url, httpx.Client(base_url=url, timeout=60) as client:
        draw = kinds(client, random.Random(1))
        for name, (chosen, bar) in MIXES.items():
            addresses = [draw[kind]() for _ in range(60) for kind in chosen]
            for address in sorted(set(addresses)) * WARM:
                # On a connection of its own, or all of them go to one of the web processes.
                client.get(address, headers={"Connection": "close"})
            rows[name] = loaded(url, options.token, addresses, bar, options)
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        Console().print(table_of(rows))
    return int(any(map(missed, rows.values())))


if __name__ == "__main__":
    sys.exit(main())
