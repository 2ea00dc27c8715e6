"""`python -m dougong_ci.lint [CONTRACT...] [--json]`: the table of filters and mutants."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import sys

import torch
from rich.console import Console
from rich.table import Table

from dougong import contracts
from dougong_ci.lint import Fate, Finding, Trial, filtered, trials

_STYLES = {
    Fate.KILLED: "green",
    Fate.SURVIVED: "bold red",
    Fate.ADMITTED: "cyan",
    Fate.INAPPLICABLE: "dim",
}


def main(arguments: list[str] | None = None) -> int:
    """Lint contracts and print what was found.

    Args:
        arguments: Of the command line; None takes the process's own.

    Returns:
        0 where every filter passed and no mutant survived, otherwise 1.
    """
    parser = argparse.ArgumentParser(prog="python -m dougong_ci.lint", description=__doc__)
    parser.add_argument("contract", nargs="*", help="such as norm.rms@1; by default all released")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    findings: list[Finding] = []
    found: list[Trial] = []
    console = Console(soft_wrap=False)
    for id in [contracts.contract(name).id for name in options.contract or contracts.ids()]:
        asked, tried = list(filtered(id)), list(trials(id))
        findings += asked
        found += tried
        if not options.json:
            console.print(_filters(id, asked), _mutants(id, tried))
    if options.json:
        everything = {
            "filters": [dataclasses.asdict(each) for each in findings],
            "mutants": [dataclasses.asdict(each) for each in found],
        }
        sys.stdout.write(json.dumps(everything, indent=2) + "\n")
    else:
        console.print(_total(findings, found))
    bad = any(not each.passed for each in findings)
    return int(bad or any(trial.fate is Fate.SURVIVED for trial in found))


def _filters(id: str, findings: list[Finding]) -> Table:
    table = Table(title=f"{id}: filters", title_justify="left")
    for column in ("filter", "", "measured"):
        table.add_column(column)
    for each in findings:
        mark = "[green]passed[/]" if each.passed else "[bold red]failed[/]"
        table.add_row(_named(each.variant, each.filter), mark, each.detail)
    return table


def _mutants(id: str, found: list[Trial]) -> Table:
    table = Table(title=f"{id}: mutants", title_justify="left")
    table.add_column("mutant")
    table.add_column("fate")
    table.add_column("gate")
    table.add_column("reason", overflow="fold")
    for trial in found:
        fate = f"[{_STYLES[trial.fate]}]{trial.fate}[/]"
        table.add_row(_named(trial.variant, trial.mutant), fate, trial.gate, trial.reason)
    return table


def _named(variant: str, name: str) -> str:
    return f"{variant}: {name}" if variant else name


def _total(findings: list[Finding], found: list[Trial]) -> Table:
    table = Table(title="All contracts", title_justify="left")
    table.add_column("contract", no_wrap=True)
    for fate in Fate:
        table.add_column(str(fate), justify="right")
    table.add_column("kill rate", justify="right")
    table.add_column("filters", justify="right")
    for id in dict.fromkeys(trial.contract for trial in found):
        fates = collections.Counter(trial.fate for trial in found if trial.contract == id)
        able = fates[Fate.KILLED] + fates[Fate.SURVIVED]
        asked = [each.passed for each in findings if each.contract == id]
        table.add_row(
            id,
            *(str(fates[fate]) for fate in Fate),
            f"{fates[Fate.KILLED] / able:.0%}" if able else "-",
            f"{sum(asked)} of {len(asked)}",
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
