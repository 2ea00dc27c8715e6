"""`dougong board backend`: how fast, in how much memory and how exactly backends run models."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dougong.backends import Judged, Measured


def show(url: str | None, folders: Sequence[Path], *, json: bool) -> None:
    """Print the board of the family, from folders, the hub or this machine.

    Raises:
        HubError: a hub was named and cannot be asked.
        EvidenceError: a folder holds what is no verdict.
    """
    from dougong import backends
    from dougong.cli.gathering import gathered
    from dougong.cli.output import print_json

    where, found = gathered(url, folders, backends.CONTRACT, backends.read)
    rows, beside = backends.board(found), backends.measured(folders)
    absent = _absent(backends.CONTRACT)
    if json:
        listed = [dataclasses.asdict(row) for row in rows]
        others = [dataclasses.asdict(row) for row in beside]
        print_json(
            {
                "source": where,
                **_counts(rows, absent),
                "rows": listed,
                "measured": others,
                "absent": absent,
            }
        )
    else:
        _print(where, rows, beside, absent)


def _absent(contract: str) -> dict[str, str]:
    """Say of each backend installed here that cannot run here why."""
    from dougong.catalogue import Catalogue

    found = Catalogue.discover().find(contract=contract)
    return {entry.name: reason for entry in found if (reason := entry.unavailable())}


def _counts(rows: Sequence[Judged], absent: dict[str, str]) -> dict[str, int]:
    away = {row.operator for row in rows if row.unavailable}
    return {
        "judged": sum(not row.unavailable for row in rows),
        "accepted": sum(row.passed for row in rows),
        "unavailable": len(away | set(absent)),
    }


def _print(
    where: str, rows: Sequence[Judged], beside: Sequence[Measured], absent: dict[str, str]
) -> None:
    from dougong.backends import CONTRACT
    from dougong.cli.output import columns, console

    out = console()
    out.print(f"[bold]{CONTRACT}[/]  judged: float32, one thread, medians", soft_wrap=True)
    out.print(where, soft_wrap=True, style="dim", markup=False)
    for name in dict.fromkeys(model.model for row in rows for model in row.models):
        header = [name, "us", "over eager", "peak MB", "eager MB", "error", "of eager's", "verdict"]
        lines = [line for row in rows if (line := _judged(row, name))]
        out.print()
        out.print(columns(lines, header=header), soft_wrap=True)
    measured = [each for each in beside if not each.reason]
    if measured:
        out.print("\nbenchmarks/backends.py, beside the judge:", soft_wrap=True, style="dim")
    for name in dict.fromkeys(each.model for each in measured):
        header = [name, "us", "over eager", "more MB", "artifact MB", "difference", "same class"]
        lines = [_measured(each) for each in measured if each.model == name]
        out.print()
        out.print(columns(lines, header=header), soft_wrap=True)
    out.print()
    for text in _reasons(rows, beside, absent):
        out.print(text, soft_wrap=True, markup=False, style="dim")
    out.print(", ".join(f"{count} {name}" for name, count in _counts(rows, absent).items()))


def _judged(row: Judged, name: str) -> list[Any]:
    model = next((each for each in row.models if each.model == name), None)
    if model is None:
        return []
    over = None if not model.latency_us else (model.eager_us or 0.0) / model.latency_us
    return [
        row.operator,
        _number(model.latency_us, ",.0f"),
        _number(over, ".2f", "x"),
        *(
            _number(peak and peak / 1e6, ".0f")
            for peak in (model.peak_bytes, model.eager_peak_bytes)
        ),
        _number(model.relative_l2, ".1e"),
        _number(model.of_eager, ".1f", "x") + ("" if model.agrees else " (refused)"),
        f"{row.code} {row.verdict[:8]}",
    ]


def _measured(row: Measured) -> list[Any]:
    interval = f" [{_number(row.ci_low, '.2f')}, {_number(row.ci_high, '.2f')}]"
    return [
        row.backend,
        _number(row.us, ",.0f"),
        _number(row.speedup, ".2f", "x") + interval,
        _number(row.resident_mb, "+.0f"),
        _number(row.artifact_mb, ".2f"),
        _number(row.error, ".1e"),
        _number(row.same_class, ".1%"),
    ]


def _reasons(
    rows: Sequence[Judged], beside: Sequence[Measured], absent: dict[str, str]
) -> list[str]:
    """Say of each that is not accepted, not here or not measured why."""
    found = [
        f"not accepted  {row.operator} {row.version}  {row.code}: {row.summary}"
        for row in rows
        if not row.passed and not row.unavailable
    ]
    away = {row.operator: f"{row.summary}" for row in rows if row.unavailable}
    found += [f"unavailable  {name}: {why}" for name, why in sorted({**away, **absent}.items())]
    return found + [
        f"not measured  {each.backend} {each.model}: {each.reason}"
        for each in beside
        if each.reason and each.model
    ]


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"
