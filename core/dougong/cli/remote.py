"""`dougong search` and `dougong board`: the hub where there is one, this machine otherwise."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dougong.hub import Board

HubOption = Annotated[
    str | None, typer.Option("--hub", help="Address of the hub; default: DOUGONG_HUB_URL.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def search(
    words: Annotated[list[str], typer.Argument(help="What the operator must mention.")],
    hub: HubOption = None,
    json: JsonOption = False,
) -> None:
    """Search the operators of the hub, or those installed where no hub can be reached."""
    from dougong.cli.output import columns, console, print_json

    where, rows = _search(words, hub)
    if json:
        print_json({"source": where, "operators": rows})
        return
    out = console()
    out.print(f"[dim]{where}[/]", soft_wrap=True)
    lines = []
    for row in rows:
        judged = f"{row['best_speedup']:.2f}x" if row.get("best_speedup") else row["outcome"]
        source = f"{row['distribution']} {row['version']}"
        lines.append([row["name"], row["contract"], source, judged or "no", row["summary"]])
    header = ["operator", "contract", "from", "judged", "summary"]
    out.print(columns(lines, header=header) if lines else "nothing matches", soft_wrap=True)


def _search(words: list[str], url: str | None) -> tuple[str, list[dict[str, Any]]]:
    from dougong.errors import HubError
    from dougong.hub import Hub

    client = Hub.configured(url)
    if client is None:
        return "no hub is set; searching what is installed", _search_installed(words)
    with client:
        try:
            found = client.search(" ".join(words))
        except HubError as error:
            if url:
                raise
            return f"{error}; searching what is installed", _search_installed(words)
    return f"hub {client.url}", [dataclasses.asdict(row) for row in found]


def _search_installed(words: list[str]) -> list[dict[str, Any]]:
    from dougong import evidence
    from dougong.catalogue import Catalogue

    rows = []
    for entry in Catalogue.discover().entries.values():
        text = f"{entry.name} {entry.operator.contract} {entry.operator.summary} {entry.plugin}"
        if not all(word.lower() in text.lower() for word in words):
            continue
        records = evidence.verdicts_on(entry)
        speeds = [s.speedup for record in records if record.passed for s in record.scores]
        rows.append(
            {
                "name": entry.name,
                "family": entry.operator.family,
                "contract": entry.operator.contract,
                "summary": entry.operator.summary,
                "distribution": entry.distribution,
                "version": entry.version,
                "outcome": records[0].outcome if records else "",
                "best_speedup": max(speeds, default=None),
            }
        )
    return rows


def board(
    contract: Annotated[str, typer.Argument(help="Contract: norm.rms@1; newest if unversioned.")],
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16, ...")] = None,
    mode: Annotated[str | None, typer.Option(help="infer or train.")] = None,
    hardware: Annotated[str | None, typer.Option(help="Class of hardware.")] = None,
    hub: HubOption = None,
    json: JsonOption = False,
) -> None:
    """Show how the operators of a contract compare: ranks, speed-ups, 95% intervals."""
    from dougong.cli.output import print_json

    where, found = _board(_newest(contract), dtype, mode, hardware, hub)
    if json:
        print_json({"source": where, **dataclasses.asdict(found)})
    else:
        _print_board(where, found)


def _newest(contract: str) -> str:
    """Give an unversioned contract its newest version; the hub may know more than is known here."""
    from dougong import contracts

    versions = [each for each in contracts.ids() if each.partition("@")[0] == contract]
    return max(versions, key=lambda each: int(each.partition("@")[2])) if versions else contract


def _board(
    contract: str, dtype: str | None, mode: str | None, hardware: str | None, url: str | None
) -> tuple[str, Board]:
    from dougong.errors import HubError
    from dougong.hub import Hub

    client = Hub.configured(url)
    if client is None:
        where = "no hub is set; the verdicts on this machine"
        return where, _local_board(contract, dtype, mode, hardware)
    with client:
        try:
            found = client.board(contract, dtype=dtype, mode=mode, hardware=hardware)
        except HubError as error:
            if url or "refused" in str(error):
                raise
            where = f"{error}; the verdicts on this machine"
            return where, _local_board(contract, dtype, mode, hardware)
    return f"hub {client.url}", found


def _local_board(contract: str, dtype: str | None, mode: str | None, hardware: str | None) -> Board:
    """Make a board of local verdicts; ranks are shared where intervals overlap the one above."""
    from dougong import contracts, evidence
    from dougong.catalogue import Catalogue
    from dougong.hub import Board, BoardRow, Unranked

    if contract not in contracts.ids():
        contracts.contract(contract)  # raises, naming close ones
    records = [
        (entry, record)
        for entry in Catalogue.discover().find(contract=contract)
        for record in evidence.verdicts_on(entry)
        if hardware in (None, record.hardware_class)
    ]
    hardware = hardware or (records[0][1].hardware_class if records else "this machine")
    dtype, mode = dtype or "float32", mode or "infer"
    scored, unranked = [], []
    for entry, record in records:
        if record.hardware_class != hardware:
            continue
        if record.passed and (score := record.score(dtype, mode)):
            scored.append((score, entry))
        else:
            unranked.append(Unranked(entry.name, entry.version, record.code, record.summary))
    scored.sort(key=lambda pair: -pair[0].speedup)
    rows: list[BoardRow] = []
    for position, (score, entry) in enumerate(scored, start=1):
        shares = bool(rows) and score.ci_high >= rows[-1].ci_low
        rows.append(
            BoardRow(
                rank=rows[-1].rank if shares else position,
                operator=entry.name,
                distribution=entry.distribution,
                version=entry.version,
                speedup=score.speedup,
                ci_low=score.ci_low,
                ci_high=score.ci_high,
            )
        )
    return Board(contract, hardware, dtype, mode, tuple(rows), tuple(unranked))


def _print_board(where: str, found: Board) -> None:
    from dougong.cli.intervals import Axis
    from dougong.cli.output import columns, console, styled

    out = console()
    title = f"[bold]{found.contract}[/]  {found.dtype}, {found.mode}, {found.hardware_class}"
    out.print(f"{title}\n[dim]{where}[/]", soft_wrap=True)
    axis = Axis([(row.ci_low, row.ci_high) for row in found.rows])
    rows: list[list[Any]] = []
    for row in found.rows:
        kind = "ok" if row.ci_low > 1 else "broken" if row.ci_high < 1 else "unavailable"
        rows.append(
            [
                f"{row.rank:>3}",
                row.operator,
                row.version,
                f"{row.speedup:>7.2f}x",
                styled(kind, axis.draw(row.ci_low, row.speedup, row.ci_high)),
                f"{row.ci_low:.2f} to {row.ci_high:.2f}",
            ]
        )
    header = ["  #", "operator", "version", "speed-up", axis.legend(), "95% interval"]
    out.print(columns(rows, header=header) if rows else "nobody is ranked here", soft_wrap=True)
    for other in found.unranked:
        reason = f": {other.reason}" if other.reason else ""
        text = f"not ranked  {other.operator} {other.version}  {other.code}{reason}"
        out.print(text, soft_wrap=True, markup=False, style="dim")
