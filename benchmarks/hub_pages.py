"""How long each page and list of a hub takes, as a client on the same machine sees it.

Serves the hub that DOUGONG_HOME and DOUGONG_DATABASE_URL name (fill one with `dougong-hub
rehearse`), keeps nothing (DOUGONG_PAGE_KEPT_S=0), and asks for different addresses of each kind one
after the other. The bar is 50 ms at the 95th percentile.

    python benchmarks/hub_pages.py [--requests 200] [--only NAME ...] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

BAR_MS = 50.0
WORDS = ("fused", "attention", "flash", "rms norm", "gelu table", "amber", "cedar works", "int8")
TYPOS = ("atention", "flahs", "fuzed norm", "slatte", "quantise")
Draw = Callable[[], str]


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Serve the hub by gunicorn as `dougong up` does; return its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "python:dougong_registry.serve.gunicorn_conf",
    ]
    environ = {
        "DJANGO_SETTINGS_MODULE": "dougong_registry.settings",
        "DOUGONG_PAGE_KEPT_S": "0",
        "DOUGONG_RATES": "off",
        **os.environ,
    }
    subprocess.run(
        [sys.executable, "-m", "dougong_registry", "collectstatic", "--noinput", "-v0"],
        env=environ,
        check=True,
    )
    process = subprocess.Popen([*command, "-b", f"127.0.0.1:{port}"], env=environ)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"{url}/healthz").raise_for_status()
                break
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def kinds(client: httpx.Client, draw: random.Random) -> dict[str, Draw]:
    """Return for each kind of page a way to draw one of its addresses."""
    operators = [
        row["name"]
        for offset in range(0, 10_000, 1000)
        for row in client.get(f"/api/v1/operators?limit=100&offset={offset}").json()["results"]
    ]
    boards = client.get("/api/v1/boards").json()["results"]
    details = [client.get(f"/api/v1/operators/{name}").json() for name in operators[::40]]
    runs = [run["id"] for detail in details for run in detail["runs"] if run["current"]]
    submissions = [each["submission_id"] for detail in details for each in detail["releases"]]
    plugins = [detail["operator"]["distribution"] for detail in details]
    newest = client.get("/api/v1/pulls?limit=100").json()["results"]
    pulls = [row["number"] for row in newest]
    families = ("attention", "norm", "activation", "optimizer", "backend", "transform")

    def board() -> str:
        row = draw.choice(boards)
        asked = f"hardware={quote(row['hardware_class'])}&dtype={row['dtype']}&mode={row['mode']}"
        return f"{quote(row['contract'])}{{}}?{asked}"

    return {
        "/": lambda: "/",
        "/operators/": lambda: f"/operators/?page={draw.randrange(1, 150)}",
        "/operators/ by family": lambda: f"/operators/?family={draw.choice(families)}",
        "/operators/ fastest": lambda: f"/operators/?ordering=fastest&page={draw.randrange(1, 9)}",
        "/operators/ search": lambda: f"/operators/?q={quote(draw.choice(WORDS))}",
        "/operators/ misspelled": lambda: f"/operators/?q={quote(draw.choice(TYPOS))}",
        "/operators/*": lambda: f"/operators/{draw.choice(operators)}/",
        "/boards/": lambda: "/boards/",
        "/boards/*": lambda: f"/boards/{board().format('/')}",
        "/runs/*": lambda: f"/runs/{draw.choice(runs)}/",
        "/submissions/": lambda: "/submissions/",
        "/submissions/*": lambda: f"/submissions/{draw.choice(submissions)}/",
        "/plugins/": lambda: f"/plugins/?page={draw.randrange(1, 90)}",
        "/plugins/*": lambda: f"/plugins/{draw.choice(plugins)}/",
        "/people/": lambda: "/people/",
        "/people/*": lambda: f"/people/person-{draw.randrange(1, 400)}/",
        "/community/": lambda: "/community/",
        "/roles/": lambda: "/roles/",
        "/pulls/": lambda: f"/pulls/?page={draw.randrange(1, 90)}",
        "/pulls/ for people": lambda: f"/pulls/?show=people&page={draw.randrange(1, 10)}",
        "/pulls/*": lambda: f"/pulls/{draw.choice(pulls)}/",
        "/notices/": lambda: f"/notices/?page={draw.randrange(1, 10)}",
        "/rejudging/": lambda: "/rejudging/",
        "/suites/": lambda: "/suites/",
        "/governance/*": lambda: "/governance/levels/",
        "/hardware/": lambda: "/hardware/",
        "/audit/": lambda: "/audit/",
        "/compare/": lambda: (
            "/compare/?" + "&".join(f"operator={quote(name)}" for name in draw.sample(operators, 4))
        ),
        "/api/v1/operators": lambda: f"/api/v1/operators?q={quote(draw.choice(WORDS))}&limit=100",
        "/api/v1/operators/*": lambda: f"/api/v1/operators/{draw.choice(operators)}",
        "/api/v1/boards": lambda: "/api/v1/boards",
        "/api/v1/boards/*": lambda: f"/api/v1/boards/{board().format('')}",
        "/api/v1/runs/*": lambda: f"/api/v1/runs/{draw.choice(runs)}",
        "/api/v1/plugins": lambda: "/api/v1/plugins",
        "/api/v1/releases": lambda: f"/api/v1/plugins/{draw.choice(plugins)}/releases",
        "/api/v1/submissions": lambda: "/api/v1/submissions",
        "/api/v1/people": lambda: "/api/v1/people",
        "/api/v1/people/*": lambda: f"/api/v1/people/person-{draw.randrange(1, 400)}",
        "/api/v1/contributions": lambda: "/api/v1/contributions?limit=100",
        "/api/v1/contributions of *": lambda: (
            f"/api/v1/contributions?person=person-{draw.randrange(1, 400)}"
        ),
        "/api/v1/contributions L3": lambda: (
            f"/api/v1/contributions?level=L3&plugin={draw.choice(plugins)}"
        ),
        "/api/v1/pulls": lambda: "/api/v1/pulls?limit=100",
        "/api/v1/pulls/*": lambda: f"/api/v1/pulls/{draw.choice(pulls)}",
        "/api/v1/notices": lambda: "/api/v1/notices?limit=100",
        "/api/v1/campaigns": lambda: "/api/v1/campaigns?limit=100",
        "/api/v1/reruns": lambda: "/api/v1/reruns?limit=100",
        "/api/v1/suites": lambda: "/api/v1/suites",
        "/simple/": lambda: "/simple/",
        "/simple/*": lambda: f"/simple/{draw.choice(plugins)}/",
    }


def measured(client: httpx.Client, draw: Draw, requests: int) -> dict[str, Any]:
    """Ask for addresses of one kind; what is not 200 is counted and not timed as good."""
    times_ms, bad, size = [], 0, 0
    for number in range(requests + 4):
        address = draw()
        began = time.perf_counter()
        answer = client.get(address)
        spent_ms = 1e3 * (time.perf_counter() - began)
        bad += answer.status_code != 200
        size = max(size, len(answer.content))
        if number >= 4:
            times_ms.append(spent_ms)
    ordered = sorted(times_ms)
    return {
        "p50_ms": statistics.median(ordered),
        "p95_ms": ordered[int(0.95 * (len(ordered) - 1))],
        "worst_ms": ordered[-1],
        "not_200": bad,
        "largest_kB": size / 1e3,
    }


def main() -> int:
    """Print the table; exit status 1 where a kind misses the bar or does not answer."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with served() as url, httpx.Client(base_url=url, timeout=60) as client:
        chosen = kinds(client, random.Random(arguments.seed))
        wanted = [name for name in chosen if not arguments.only or name in arguments.only]
        console = Console(stderr=True)
        rows = {
            name: measured(client, chosen[name], arguments.requests)
            for name in track(wanted, "asking", console=console)
        }
    if arguments.json:
        print(json.dumps(rows, indent=1))
    else:
        table = Table("kind", "p50 ms", "p95 ms", "worst ms", "not 200", "largest kB")
        for name, row in rows.items():
            late = "" if row["p95_ms"] < BAR_MS else "[red]"
            table.add_row(
                name,
                f"{row['p50_ms']:.1f}",
                f"{late}{row['p95_ms']:.1f}",
                f"{row['worst_ms']:.1f}",
                str(row["not_200"]),
                f"{row['largest_kB']:.0f}",
            )
        Console().print(table)
    return int(any(row["p95_ms"] >= BAR_MS or row["not_200"] for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
