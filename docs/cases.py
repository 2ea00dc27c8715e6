"""Print the worked cases of the policy as a table; `--write` puts it in docs/roles.md."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "roles.md"
BEGIN, END = "<!-- cases:begin -->", "<!-- cases:end -->"


def row(number: int, case: dict[str, Any]) -> str:
    """One case as a line of the table."""
    history = "<br>".join(case["history"]) or "nothing"
    ends = " ".join(filter(None, (case["role"] or "no role", case.get("standing", ""))))
    following = "; ".join(case.get("missing", ())) or f"**eligible for {case['eligible_for']}**"
    return f"| {number} | {case['name']} | {history} | {case['month']:g} | {ends} | {following} |"


def render() -> str:
    """The whole table."""
    cases = tomllib.loads((ROOT / "governance" / "cases-2026.1.toml").read_text())["case"]
    head = "| | case | what is recorded | asked in month | role | for the next role there is |"
    rows = [row(number, case) for number, case in enumerate(cases, start=1)]
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def main() -> None:
    """Print the table, or write it between the markers of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the table in docs/roles.md")
    if not parser.parse_args().write:
        print(render())
        return
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{render()}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
