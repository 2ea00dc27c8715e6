"""`dougong list` and `dougong show`: what is installed here."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dougong.catalogue import Catalogue, Entry
    from dougong.evidence import Record


def list_operators(
    words: Annotated[
        list[str] | None, typer.Argument(help="Show only what contains every one of these.")
    ] = None,
    family: Annotated[str | None, typer.Option(help="Only this family, e.g. norm.")] = None,
    contract: Annotated[str | None, typer.Option(help="Only this contract: norm.rms@1.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what is installed, whether it can be used here, and what is broken."""
    from dougong.catalogue import Catalogue
    from dougong.cli.output import print_json

    catalogue = Catalogue.discover()
    rows = [
        row
        for row in inventory(catalogue)
        if all(word.lower() in " ".join(map(str, row.values())).lower() for word in words or [])
        and family in (None, row["family"])
        and contract in (None, row["contract"], row["contract"].partition("@")[0])
    ]
    if json:
        print_json(rows)
    else:
        _print_rows(rows, catalogue.left_out)


def inventory(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return a row for each operator, each contested name and each broken plugin."""
    from dougong.catalogue.listing import claimants

    rows = []
    for entry in catalogue.entries.values():
        reason = entry.unavailable()
        rows.append(_row(entry, "unavailable" if reason else "ok", reason or ""))
    for claims in catalogue.duplicates.values():
        rows.append(_row(claims[0], "duplicate", claimants(claims)))
    for broken in catalogue.broken:
        rows.append(
            {
                "name": broken.plugin,
                "family": "",
                "contract": "",
                "summary": "",
                "status": "broken",
                "reason": broken.reason,
                "plugin": broken.plugin,
                "distribution": broken.distribution,
                "version": broken.version,
                "devices": [],
                "dtypes": [],
            }
        )
    return rows


def _row(entry: Entry, status: str, reason: str) -> dict[str, Any]:
    operator = entry.operator
    return {
        "name": entry.name,
        "family": operator.family,
        "contract": operator.contract,
        "summary": operator.summary,
        "status": status,
        "reason": reason,
        "plugin": entry.plugin,
        "distribution": entry.distribution,
        "version": entry.version,
        "devices": list(operator.devices),
        "dtypes": list(operator.dtypes),
    }


def _print_rows(rows: list[dict[str, Any]], left_out: tuple[str, ...]) -> None:
    from dougong.cli.output import columns, console, styled
    from dougong.operator import FAMILIES

    out = console()
    lines: list[list[Any]] = []
    for family in FAMILIES:
        members = [row for row in rows if row["family"] == family]
        if members:
            lines.append([styled("heading", family)])
        lines += map(_cells, members)
    if lines:
        header = ["operator", "contract", "devices", "from", "status"]
        out.print(columns(lines, header=header), soft_wrap=True)
    if broken := [row for row in rows if row["status"] == "broken"]:
        out.print(("\n" if lines else "") + "[bold]broken plugins[/]")
        cells = [
            [f"  {row['name']}", row["version"], styled("broken", f"broken: {row['reason']}")]
            for row in broken
        ]
        out.print(columns(cells), soft_wrap=True)
    if left_out:
        out.print(f"\n[dim]left out by the environment: {', '.join(left_out)}[/]", soft_wrap=True)
    if not rows:
        out.print("no operator is loaded" if left_out else "nothing matches")


def _cells(row: dict[str, Any]) -> list[Any]:
    from dougong.cli.output import styled

    text = f"{row['status']}: {row['reason']}" if row["reason"] else row["status"]
    source = f"{row['distribution'] or row['plugin']} {row['version']}"
    return [
        f"  {row['name']}",
        row["contract"],
        ", ".join(row["devices"]),
        "" if row["status"] == "duplicate" else source,
        styled(row["status"], text),
    ]


def show(
    name: Annotated[str, typer.Argument(help="Operator: provider/name.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the metadata of an operator, its evidence, and what the lock says of it."""
    from dougong import evidence
    from dougong.catalogue import Catalogue
    from dougong.cli.output import print_json

    entry = Catalogue.discover().get(name)
    records = evidence.for_operator(name)
    state = _lock_state(entry)
    if json:
        print_json(
            {
                **dataclasses.asdict(entry.operator),
                "plugin": entry.plugin,
                "distribution": entry.distribution,
                "version": entry.version,
                "unavailable": entry.unavailable(),
                "lock": state,
                "evidence": [dataclasses.asdict(record) for record in records],
            }
        )
    else:
        _print_entry(entry, state)
        print_evidence(records, entry)


def _lock_state(entry: Entry) -> str:
    from dougong.errors import LockError
    from dougong.lock import Lock

    try:
        return Lock.read().state_of(entry)
    except LockError as error:
        return str(error)


def _print_entry(entry: Entry, lock_state: str) -> None:
    from dougong.cli.output import columns, console, styled

    out = console()
    operator = entry.operator
    title = f"[bold]{operator.name}[/]"
    out.print(f"{title}  {operator.summary}" if operator.summary else title, soft_wrap=True)
    reason = entry.unavailable()
    status = styled("unavailable", f"unavailable: {reason}") if reason else styled("ok")
    rows: list[list[Any]] = [
        ["status", status],
        ["from", f"{entry.distribution} {entry.version} (plugin {entry.plugin})"],
    ]
    for field in dataclasses.fields(operator):
        value = getattr(operator, field.name)
        if field.name not in ("name", "summary") and value not in ((), ""):
            rows.append([field.name, ", ".join(value) if isinstance(value, tuple) else str(value)])
    rows.append(["lock", lock_state])
    named = [[styled("label", f"  {name}"), value] for name, value in rows]
    out.print(columns(named), soft_wrap=True)


def print_evidence(records: Sequence[Record], entry: Entry | None = None) -> None:
    """Print what was measured: a line a board, the newest verdict first."""
    from dougong.cli.output import columns, console, styled

    out = console()
    out.print("[bold]evidence[/]" + ("" if records else "  none on this machine"))
    rows: list[list[Any]] = []
    for record in records:
        current = entry is None or record.is_about(entry)
        first = [
            f"  {record.id[:12]}",
            styled(record.outcome, record.code),
            record.version + ("" if current else " (not the installed one)"),
            record.hardware_class,
        ]
        for score in record.scores:
            interval = f"{score.ci_low:.2f} to {score.ci_high:.2f}"
            rows.append([*first, score.dtype, score.mode, f"{score.speedup:.2f}x", interval])
            first = ["  ", "", "", ""]
        if not record.scores:
            rows.append([*first, "", "", "", ""])
    header = ["  verdict", "outcome", "version", "hardware", "dtype", "mode", "speed-up", "95%"]
    if rows:
        out.print(columns(rows, header=header), soft_wrap=True)
