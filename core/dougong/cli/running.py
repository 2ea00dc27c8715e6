"""`dougong runs`: what a hub measured, newest first."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dougong.cli.remote import HubOption, JsonOption

if TYPE_CHECKING:
    from dougong.hub import Run


def runs(
    operator: Annotated[
        str, typer.Argument(help="Only of this operator: acme/rms. Without: of all.")
    ] = "",
    contract: Annotated[str, typer.Option(help="Only of this contract: norm.rms@1.")] = "",
    outcome: Annotated[str, typer.Option(help="passed, failed, inconclusive or errored.")] = "",
    runner: Annotated[str, typer.Option(help="Only of this machine.")] = "",
    limit: Annotated[int, typer.Option(help="Rows at most.", min=1)] = 20,
    hub: HubOption = None,
    json: JsonOption = False,
) -> None:
    """List the runs of a hub, newest first; `dougong replay ID` repeats one."""
    from dougong.cli.output import columns, console, print_json
    from dougong.hub import Hub

    with Hub.required(hub) as client:
        given = {"operator": operator, "contract": contract, "outcome": outcome, "runner": runner}
        found = list(itertools.islice(client.runs(**given), limit))
    if json:
        print_json([dataclasses.asdict(run) for run in found])
        return
    header = ["run", "operator", "version", "hardware", "outcome", "speed-up", "recorded"]
    lines = [_line(run) for run in found]
    console().print(columns(lines, header=header) if lines else "nothing matches", soft_wrap=True)


def _line(run: Run) -> list[Any]:
    from dougong.cli.output import styled

    best = max((score.speedup for score in run.scores), default=None)
    speed = f"{best:.2f}x" if best is not None else ""
    outcome = styled(run.outcome, f"{run.outcome} {run.code}")
    at = run.recorded_at[:16].replace("T", " ")
    return [run.id, run.operator, run.version, run.hardware_class, outcome, speed, at]
