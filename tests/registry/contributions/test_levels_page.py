"""The texts that a newcomer reads say what the policy says, and lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from dougong_registry.contributions.policy import policy_in_force, suggest_level

ROOT = Path(__file__).resolve().parents[3]
GOVERNANCE = ROOT / "governance"
PAGES = sorted(GOVERNANCE.glob("*.md"))
COUNTS = {"one": 1, "two": 2, "three": 3, "seven": 7, "nine": 9, "twelve": 12}


def loaded():
    spec = importlib.util.spec_from_file_location("docs_levels", ROOT / "docs" / "levels.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tables = loaded()


def text(name: str) -> str:
    return " ".join((GOVERNANCE / name).read_text().split())


@pytest.mark.parametrize("name", tables.PAGES)
def test_the_tables_are_those_of_the_policy_in_force(name):
    assert tables.page(name) == (GOVERNANCE / name).read_text(), (
        "run: python docs/levels.py --write"
    )


@pytest.mark.parametrize(
    "example", tables.load_examples(policy_in_force().version), ids=lambda each: each["name"]
)
def test_the_policy_says_of_an_example_what_its_author_expected(example):
    assert suggest_level(policy_in_force(), tables.facts_of(example)).level == example["level"]


def test_the_examples_reach_every_level():
    policy = policy_in_force()
    reached = {each["level"] for each in tables.load_examples(policy.version)}
    assert reached == {level.name for level in policy.levels}


def test_numbers_in_prose_are_those_of_the_policy():
    policy, l3 = policy_in_force(), policy_in_force().levels[-1].approvals
    joining, levels, proposals = map(text, ("joining.md", "levels.md", "proposals.md"))
    said = re.search(r"changes \((\d+), (\d+) or (\d+) points", joining)
    assert [float(each) for each in said.groups()] == [each.points for each in policy.levels]
    assert "Reviews are at most half" in joining
    assert policy.review_share == 0.5
    said = re.search(r"After (\w+) quiet months your page says so, after (\w+) the role", joining)
    assert [COUNTS[each] for each in said.groups()] == [policy.warn_months, policy.emeritus_months]
    assert f"Within {policy.restore_months:g} months one decision" in joining
    said = re.search(r"counts as (L\d), and of one person (\w+) such changes", levels)
    assert said[1] == policy.unconfirmed_as
    assert COUNTS[said[2]] == policy.unconfirmed_most
    said = re.search(r"\| (\w+) (\w+)s of at least (\w+) affiliations", proposals)
    assert COUNTS[said[1]], said[2] == (l3.count, l3.min_role)
    assert COUNTS[said[3]] == l3.affiliations
    assert COUNTS[re.search(r"open at least (\w+) days", proposals)[1]] == l3.open_days
    required = {"design_record", "convergence", "ablation", "independent_reproduction"}
    assert required <= set(policy.levels[-1].must)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_is_reached_from_where_a_newcomer_begins():
    begin = (ROOT / "CONTRIBUTING.md").read_text()
    for page in PAGES:
        assert f"governance/{page.name}" in begin or page.name == "README.md", page.name


def test_the_times_of_the_security_policy_are_the_same_in_both_places():
    promised = " ".join((ROOT / "SECURITY.md").read_text().split())
    for said in ("within three working days", "within thirty"):
        assert said in promised
        assert said in text("takedown.md")


def test_commands_in_the_texts_exist():
    from dougong_registry.advisories.models import KINDS as ADVISORIES
    from dougong_registry.moderation.models import PROTECTIVE, TRUSTING

    said = text("takedown.md")
    for kind in PROTECTIVE:
        assert kind in said, kind
    assert "plugin.lift" in TRUSTING
    assert "plugin.lift" in said
    for kind in re.findall(r"--kind (\w+)|kind `(\w+)`", said):
        assert set(kind) & set(ADVISORIES), kind
