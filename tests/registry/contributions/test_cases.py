"""The worked cases that people read are what the policy says, and the docs show all of them."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dougong_registry.contributions.policy import MONTH, Event, decide, policy_load

ROOT = Path(__file__).resolve().parents[3]
CASES = tomllib.loads((ROOT / "governance" / "cases-2026.1.toml").read_text())["case"]
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LINE = re.compile(r"month (?P<month>[\d.]+): (?P<rest>.+)")
FORMS = (
    r"((?P<count>\d+) )?(?P<kind>change)s? (?P<level>L\d)( confirmed by (?P<by>\w+))?"
    r"(?P<data_only>, policy files only)?",
    r"((?P<count>\d+) )?(?P<kind>review)s? of (?P<about>\w+)",
    r"((?P<count>\d+) )?(?P<kind>triage|report)s?",
    r"(?P<kind>sponsor) (?P<by>\w+) \((?P<by_role>\w+)(, (?P<affiliation>\w+))?\)"
    r" for (?P<role>\w+)",
    r"(?P<kind>granted) (?P<role>\w+) by (?P<by>\w+)",
    r"(?P<kind>restored|ended) by (?P<by>\w+)",
    r"#(?P<voids>\d+) (?P<kind>confirmed) as (?P<level>L\d) by (?P<by>\w+)",
    r"#(?P<voids>\d+) (?P<kind>taken back) by (?P<by>\w+)",
)
KINDS = {
    "sponsor": "sponsorship",
    "granted": "grant",
    "restored": "restore",
    "ended": "end",
    "confirmed": "change",
    "taken back": "void",
}


def events(history: list[str]) -> Iterator[Event]:
    for number, line in enumerate(history, start=1):
        found = LINE.fullmatch(line)
        assert found, line
        said = next(filter(None, (re.fullmatch(form, found["rest"]) for form in FORMS)), None)
        assert said, line
        words = {name: word for name, word in said.groupdict().items() if word is not None}
        kind, count = words.pop("kind"), int(words.pop("count", "1"))
        if "voids" in words:
            words["voids"] = f"{words['voids']}.0"
        data_only = bool(words.pop("data_only", ""))
        for index in range(count):
            yield Event(
                at=START + float(found["month"]) * MONTH,
                id=f"{number}.{index}",
                kind=KINDS.get(kind, kind),
                person="ada",
                data_only=data_only,
                **words,
            )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_policy_says_what_the_case_says(case):
    asked_at = START + case["month"] * MONTH
    decision = decide(policy_load("2026.1"), events(case["history"]), asked_at)
    assert decision.role == case["role"]
    assert decision.standing == case.get("standing", "")
    assert decision.eligible_for == case.get("eligible_for", "")
    missing = [str(each) for each in decision.missing]
    assert set(case.get("missing", [])) <= set(missing)
    assert bool(missing) == bool(case.get("missing"))


def test_there_are_thirty_cases_and_every_way_it_can_end():
    assert len(CASES) >= 30
    assert {case["role"] for case in CASES} == {"", "contributor", "member", "reviewer"}
    assert {case.get("standing", "") for case in CASES} == {"", "active", "warned", "emeritus"}
    assert {case.get("eligible_for") for case in CASES} > {"member", "reviewer", "maintainer"}


def test_the_docs_show_the_cases():
    printed = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "cases.py")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.strip() in (ROOT / "docs" / "roles.md").read_text(), (
        "run: python docs/cases.py --write"
    )
