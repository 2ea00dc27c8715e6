"""`dougong board`: the hub where there is one, the verdicts of this machine otherwise."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dougong.hub import Board

HubOption = Annotated[
    str | None, typer.Option("--hub", help="Address of the hub; default: DOUGONG_HUB_URL.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def board(
    contract: Annotated[
        str | None,
        typer.Argument(
            help="Contract: norm.rms@1; newest if unversioned. `optimizer`: what each trains. "
            "`backend`: how each runs trained models. Without: every board."
        ),
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16, ...")] = None,
    mode: Annotated[str | None, typer.Option(help="infer or train.")] = None,
    hardware: Annotated[str | None, typer.Option(help="Class of hardware.")] = None,
    hub: HubOption = None,
    folders: Annotated[
        list[Path] | None,
        typer.Option(
            "--from", help="With `optimizer`, `backend`: read the verdicts stored under a folder."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show how the operators of a contract compare: ranks, speed-ups, 95% intervals."""
    from dougong.cli import backends, training
    from dougong.cli.output import print_json

    if contract in ("optimizer", "optimizer.train", "optimizer.train@1"):
        training.show(hub, folders or [], json=json)
        return
    if contract == "backend":
        backends.show(hub, folders or [], json=json)
        return

    if contract is None:
        _list_boards(hub, hardware, json)
        return
    where, found = _board(_newest(contract), dtype, mode, hardware, hub)
    if json:
        print_json({"source": where, **dataclasses.asdict(found)})
    else:
        _print_board(where, found)


def _list_boards(url: str | None, hardware: str | None, json: bool) -> None:
    from dougong.cli.output import columns, console, print_json
    from dougong.hub import Hub

    with Hub.required(url) as client:
        found = list(client.boards(hardware=hardware or ""))
    if json:
        print_json([dataclasses.asdict(row) for row in found])
        return
    lines = []
    for row in found:
        leads = [row.leader, f"{row.leader_speedup:.2f}x"]
        where = [row.contract, row.hardware_class, row.dtype, row.mode]
        lines.append([*where, str(row.entries), *leads])
    header = ["contract", "hardware", "dtype", "mode", "ranked", "leader", "speed-up"]
    console().print(columns(lines, header=header) if lines else "no board ranks anyone")


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
