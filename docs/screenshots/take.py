"""Take the pictures of the site that the documentation shows, from a running hub.

    python docs/screenshots/take.py --url http://127.0.0.1:8000 --out docs/screenshots

Pages are found by following the site's own links, so that what is shown is what was judged.
Needs a Chromium: the one on PATH, or --chromium.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTHS = {1280: 1, 390: 2}
"""CSS pixels -> device pixels for each: small pictures are read closely."""
LONGEST = {1280: 2400, 390: 1500}
"""Longer pages are cut here, in CSS pixels."""
LOOKED_AT = 20
"""Pages of a kind that are opened to find one with much to show."""


def find_pages(page: Page, url: str) -> dict[str, str]:
    """Return name -> address of every kind of page that this hub has something to show on."""
    found = {
        "home": "/",
        "operators": "/operators/",
        "boards": "/boards/",
        "submissions": "/submissions/",
        "publish": "/publish/",
        "plugins": "/plugins/",
        "people": "/people/",
        "hardware": "/hardware/",
        "suites": "/suites/",
        "community": "/community/",
        "roles": "/roles/",
        "text": "/governance/joining/",
        "pulls": "/pulls/",
        "rejudging": "/rejudging/",
        "notices": "/notices/",
        "audit": "/audit/",
        "missing": "/no-such-page",
    }
    page.goto(f"{url}/boards/")
    boards = _links(page, r"^/boards/[^/]+/")
    trained = [link for link in boards if "optimizer.train" in link]
    traded = [link for link in boards if re.search(r"attention\.approx|transform\.", link)]
    for name, links in (
        ("board", [link for link in boards if link not in (*trained, *traded)]),
        ("board-pareto", traded),
        ("board-trained", trained),
    ):
        if links:
            found[name] = _fullest(page, url, links)
    if "board" in found:
        page.goto(url + found["board"])
        found["run"] = _links(page, r"^/runs/")[0]
        operators = _links(page, r"^/operators/[^/]+/[^/]+/")
        found["operator"] = operators[0]
        names = [link.removeprefix("/operators/").strip("/") for link in operators[:3]]
        found["compare"] = "/compare/?" + "&".join(f"operator={name}" for name in names)
        page.goto(url + found["operator"])
        found["plugin"] = _links(page, r"^/plugins/[^/]+/$", "main dl a")[0]
        page.goto(url + found["plugin"])
        found["version"] = _links(page, r"^/plugins/[^/]+/[^/]+/$")[0]
    for name, lists, pattern, shows in (
        ("person", "people", r"^/people/[^/]+/", "#role ~ .ladder .active ~ .waiting"),
        ("machine", "hardware", r"^/hardware/.+", "main"),
        ("suite", "suites", r"^/suites/.+", "main"),
        ("submission", "submissions", r"^/submissions/\d+/", "main"),
        ("submission-live", "submissions", r"^/submissions/\d+/", "#log"),
        ("pull", "pulls", r"^/pulls/\d+/", ".verdicts"),
        ("pull-stopped", "pulls", r"^/pulls/\d+/", ".banner.failed"),
    ):
        page.goto(url + found[lists])
        if links := _links(page, pattern):
            found[name] = _first_with(page, url, links[:LOOKED_AT], shows)
    # A hub where nothing is judged now, or nothing was stopped, has no such page to show.
    return {name: address for name, address in found.items() if address}


def _first_with(page: Page, url: str, links: list[str], selector: str) -> str:
    """Return the first page that shows something; empty where none of them does."""
    for link in links:
        page.goto(url + link)
        if page.locator(selector).count():
            return link
    return ""


def _links(page: Page, pattern: str, where: str = "main table a") -> list[str]:
    every = page.locator(where).evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    return [link for link in every if re.search(pattern, link)]


def _fullest(page: Page, url: str, links: list[str]) -> str:
    """Return the board that ranks the most operators."""

    def ranked(link: str) -> int:
        page.goto(url + link)
        return page.locator("td.rank").count()

    return max(links, key=ranked)


def take(url: str, out: Path, chromium: str, scheme: str, only: Collection[str] = ()) -> None:
    """Write <page>-<width>.png for every page found, or only for some, at both widths."""
    out.mkdir(parents=True, exist_ok=True)
    suffix = "" if scheme == "light" else f"-{scheme}"
    with (
        tempfile.TemporaryDirectory() as profile,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[*FLAGS, f"--disk-cache-dir={profile}"]
        )
        finder = browser.new_page()
        found = find_pages(finder, url)
        pages = {name: found[name] for name in only or found}
        finder.close()
        for width, scale in WIDTHS.items():
            context = browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme="dark" if scheme == "dark" else "light",
                device_scale_factor=scale,
            )
            page = context.new_page()
            for name, address in pages.items():
                page.goto(url + address)
                height = page.evaluate("document.documentElement.scrollHeight")
                path = out / f"{name}-{width}{suffix}.png"
                page.screenshot(
                    path=path,
                    full_page=True,
                    clip={
                        "x": 0,
                        "y": 0,
                        "width": width,
                        "height": min(height, LONGEST[width]),
                    },
                )
                _shrink(path)
                print(f"{path} {path.stat().st_size // 1000} kB")
            context.close()
        browser.close()


def _shrink(path: Path) -> None:
    """Keep 96 colours: the pages have few, and the pictures live in git."""
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(96).save(path, optimize=True)


def main() -> int:
    """Read the command line and take the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--only", nargs="*", help="names of pages; all without it")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "")
    given = parser.parse_args()
    if not given.chromium:
        print("no chromium on PATH; name one by --chromium", file=sys.stderr)
        return 2
    take(given.url.rstrip("/"), given.out, given.chromium, given.scheme, given.only or ())
    return 0


if __name__ == "__main__":
    sys.exit(main())
