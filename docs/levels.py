"""Print the tables of the policy in force for governance/*.md; `--write` puts them there."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

from dougong_registry.contributions.policy import policy_in_force, suggest_level
from dougong_registry.contributions.policy.levels import ChangeFacts
from dougong_registry.contributions.policy.rules import Approvals, Level, Policy, Role

GOVERNANCE = Path(__file__).resolve().parent.parent / "governance"
PAGES = {
    "levels.md": ("levels", "examples"),
    "joining.md": ("roles",),
    "reviewing.md": ("approvals",),
}


def levels(policy: Policy) -> str:
    """Return the levels as a table."""
    rows = [
        f"| **{level.name}** | {level.means} | {level.points:g} | {_words(level.must)} "
        f"| {_better(level)} |"
        for level in policy.levels
    ]
    head = "| level | is | points | what must hold | new, or proved of an operator that was there |"
    return _table(head, rows)


def roles(policy: Policy) -> str:
    """Return the roles as a table."""
    rows = [
        f"| **{role.name}** | {role.means} | {_evidence(role)} | {role.months:g} "
        f"| {_sponsors(role)} | {role.granted_by or 'nobody: it is a fact'} |"
        for role in policy.roles
    ]
    return _table("| role | is | evidence | months | sponsors | given by |", rows)


def approvals(policy: Policy) -> str:
    """Return who approves what as a table."""
    rows = [f"| **{level.name}** | {_approvals(level.approvals)} |" for level in policy.levels]
    return _table("| level | approvals, none of them the author's |", rows)


def examples(policy: Policy) -> str:
    """Return the worked examples as a table: the level is what the policy says, not the file."""
    rows = []
    for number, example in enumerate(load_examples(policy.version), start=1):
        found = suggest_level(policy, facts_of(example))
        measured = (f"{name} {value:g}" for name, value in example.get("measured", {}).items())
        rows.append(
            f"| {number} | {example['name']} | {_words(example.get('touches', ()))} "
            f"| {_words(example.get('holds', ()))} | {', '.join(measured) or '-'} "
            f"| **{found.level}** | {'; '.join(found.reasons)} |"
        )
    return _table("| # | change | a new | holds | measured | level | because |", rows)


def load_examples(version: str) -> list[dict[str, Any]]:
    """Return the examples of a version of the policy."""
    text = (GOVERNANCE / f"examples-{version}.toml").read_text("utf-8")
    found: list[dict[str, Any]] = tomllib.loads(text)["example"]
    return found


def facts_of(example: dict[str, Any]) -> ChangeFacts:
    """Return what the policy is asked about an example."""
    return ChangeFacts(
        touches=frozenset(example.get("touches", ())),
        holds=frozenset(example.get("holds", ())),
        measured=example.get("measured", {}),
    )


TABLES = {"levels": levels, "roles": roles, "approvals": approvals, "examples": examples}


def page(name: str) -> str:
    """Return a page with its tables as they must be."""
    policy, text = policy_in_force(), (GOVERNANCE / name).read_text("utf-8")
    for table in PAGES[name]:
        begin, end = f"<!-- {table}:begin -->", f"<!-- {table}:end -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{TABLES[table](policy)}\n{end}{rest.partition(end)[2]}"
    return text


def _table(head: str, rows: list[str]) -> str:
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1), *rows])


def _words(names: Any) -> str:
    return ", ".join(str(name).replace("_", " ") for name in names) or "-"


def _better(level: Level) -> str:
    new = [f"a new {name}" for name in level.touches]
    claims = [f"{claim.means} {claim.op} {claim.value:g}" for claim in level.claims]
    return "; or ".join([*new, *claims]) or "-"


def _evidence(role: Role) -> str:
    return ", ".join(
        f"{needs:g} changes of {what} or above" if what.startswith("L") else f"{what}: {needs:g}"
        for what, needs in role.evidence.items()
    )


def _sponsors(role: Role) -> str:
    asked = role.sponsors
    if not asked.count:
        return "-"
    said = f"{asked.count}, each {asked.min_role} or above"
    said += f", of {asked.affiliations} affiliations" if asked.affiliations else ""
    return said + (f", the first {asked.open_days} days ago" if asked.open_days else "")


def _approvals(asked: Approvals) -> str:
    said = f"{asked.count}, each {asked.min_role} or above"
    said += f", of {asked.affiliations} affiliations" if asked.affiliations else ""
    return said + (f", open for {asked.open_days} days" if asked.open_days else "")


def main() -> None:
    """Print the tables, or write them between the markers of the pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace them in governance/*.md")
    if parser.parse_args().write:
        for name in PAGES:
            (GOVERNANCE / name).write_text(page(name), "utf-8")
        return
    for name, table in TABLES.items():
        print(f"{name}\n\n{table(policy_in_force())}\n")


if __name__ == "__main__":
    main()
