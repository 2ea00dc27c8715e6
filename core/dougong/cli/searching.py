"""`dougong search`: the operators of the hub, or those installed where no hub can be reached."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from dougong.cli.remote import HubOption, JsonOption

if TYPE_CHECKING:
    from dougong.hub import Found

ORDERS = ("relevance", "name", "newest", "fastest")
SHOWN_VALUES = 6
"""Values of a facet on its line; the site shows all."""


def search(
    words: Annotated[
        list[str] | None, typer.Argument(help="What the operator must mention; all without.")
    ] = None,
    family: Annotated[str, typer.Option(help="Only this family, e.g. norm.")] = "",
    contract: Annotated[str, typer.Option(help="Only this contract: norm.rms@1 or norm.rms.")] = "",
    device: Annotated[str, typer.Option(help="Only what says it runs there: cpu, cuda.")] = "",
    dtype: Annotated[str, typer.Option(help="Only what says it takes it: bfloat16, ...")] = "",
    verdict: Annotated[
        str, typer.Option(help="Only of this outcome: passed, failed, ...; none: not judged yet.")
    ] = "",
    sort: Annotated[str, typer.Option(help=f"By {', '.join(ORDERS)}.")] = "",
    limit: Annotated[int, typer.Option(help="Rows at most.", min=1, max=200)] = 50,
    hub: HubOption = None,
    json: JsonOption = False,
) -> None:
    """Search the operators of the hub, or those installed where no hub can be reached."""
    from dougong.cli.output import print_json

    if sort and sort not in ORDERS:
        raise typer.BadParameter(f"--sort must be one of {', '.join(ORDERS)}, got {sort!r}")
    filters = {"family": family, "contract": contract, "device": device, "dtype": dtype}
    filters["verdict"] = verdict
    text = " ".join(words or [])
    where, found = _search(text, filters, sort, limit, hub)
    if json:
        told = dataclasses.asdict(found)
        print_json({"source": where, **told})
    else:
        _print(where, found)


def _print(where: str, found: Found) -> None:
    from dougong.cli.output import columns, console

    out = console()
    out.print(f"[dim]{where}[/]", soft_wrap=True)
    if found.corrected:
        out.print(f"nothing has these words; looked for: {found.corrected}", soft_wrap=True)
    lines = []
    for row in found.operators:
        judged = f"{row.best_speedup:.2f}x" if row.best_speedup else row.outcome
        source = f"{row.distribution} {row.version}"
        lines.append([row.name, row.contract, source, judged or "no", row.summary])
    header = ["operator", "contract", "from", "judged", "summary"]
    out.print(columns(lines, header=header) if lines else "nothing matches", soft_wrap=True)
    if found.total > len(lines):
        out.print(f"[dim]{len(lines)} of {found.total}; narrow it, or --limit[/]", soft_wrap=True)
    for name, values in found.facets.items():
        if len(values) > 1:
            shown = "  ".join(f"{each.value} ({each.count})" for each in values[:SHOWN_VALUES])
            out.print(f"--{name}: {shown}", soft_wrap=True, markup=False, style="dim")


def _search(
    text: str, filters: dict[str, str], sort: str, limit: int, url: str | None
) -> tuple[str, Found]:
    from dougong.errors import HubError
    from dougong.hub import Hub

    client = Hub.configured(url)
    if client is None:
        where = "no hub is set; searching what is installed"
        return where, _installed(text, filters, sort, limit)
    with client:
        try:
            found = client.search(text, ordering=sort, limit=limit, **filters)
        except HubError as error:
            if url:
                raise
            where = f"{error}; searching what is installed"
            return where, _installed(text, filters, sort, limit)
    return f"hub {client.url}", found


def _installed(text: str, filters: dict[str, str], sort: str, limit: int) -> Found:
    from dougong import evidence
    from dougong.catalogue import Catalogue
    from dougong.hub import Found, HubOperator

    rows = []
    for entry in Catalogue.discover().entries.values():
        operator = entry.operator
        said = f"{entry.name} {operator.contract} {operator.summary} {entry.plugin}".lower()
        records = evidence.verdicts_on(entry)
        outcome = records[0].outcome if records else ""
        offered: dict[str, tuple[str, ...]] = {
            "family": (operator.family,),
            "contract": (operator.contract, operator.contract.partition("@")[0]),
            "device": tuple(operator.devices),
            "dtype": tuple(operator.dtypes),
            "verdict": (outcome or "none",),
        }
        fits = all(not value or value in offered[name] for name, value in filters.items())
        if not fits or not all(word in said for word in text.lower().split()):
            continue
        speeds = [s.speedup for record in records if record.passed for s in record.scores]
        rows.append(
            HubOperator(
                name=entry.name,
                family=operator.family,
                contract=operator.contract,
                summary=operator.summary,
                distribution=entry.distribution,
                version=entry.version,
                outcome=outcome,
                best_speedup=max(speeds, default=None),
            )
        )
    if sort == "fastest":
        rows.sort(key=lambda row: -(row.best_speedup or 0.0))
    return Found(operators=tuple(rows[:limit]), total=len(rows), facets={})
