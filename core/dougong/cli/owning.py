"""`dougong yank` and `dougong retire`: what an owner takes back, or gives up, on the hub."""

from __future__ import annotations

from typing import Annotated

import typer

from dougong.cli.output import console
from dougong.hub import Hub

HubOption = Annotated[str | None, typer.Option("--hub", help="Address of the hub.")]
TokenOption = Annotated[str | None, typer.Option("--token", help="Token of the hub.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; everybody may read it.")]
UndoOption = Annotated[bool, typer.Option("--undo", help="Take it back.")]


def yank(
    name: Annotated[str, typer.Argument(help="Plugin of yours.")],
    version: Annotated[str, typer.Argument(help="Version of the release.")],
    reason: ReasonOption = "",
    undo: UndoOption = False,
    hub: HubOption = None,
    token: TokenOption = None,
) -> int:
    """Have installers pass a release over; who pins its version still gets it (PEP 592)."""
    _one_of(reason, undo)
    with Hub.required(hub, token) as client:
        client.yank(name, version, reason)
    again = "is offered again" if undo else f"is yanked: {reason}"
    console().print(f"{name} {version} {again}", soft_wrap=True, markup=False)
    return 0


def retire(
    name: Annotated[str, typer.Argument(help="Plugin of yours.")],
    reason: ReasonOption = "",
    deprecated: Annotated[
        bool, typer.Option("--deprecated", help="There is something better; releases go on.")
    ] = False,
    undo: UndoOption = False,
    hub: HubOption = None,
    token: TokenOption = None,
) -> int:
    """Archive a plugin: it takes no further release, and those there are stay (PEP 792)."""
    _one_of(reason, undo)
    if deprecated and undo:
        raise typer.BadParameter("--deprecated goes with --reason, --undo with neither")
    status = "active" if undo else "deprecated" if deprecated else "archived"
    with Hub.required(hub, token) as client:
        plugin = client.set_status(name, status, reason)
    said = f"{plugin.name} is {plugin.status}" + (f": {reason}" if reason else "")
    console().print(said, soft_wrap=True, markup=False)
    return 0


def _one_of(reason: str, undo: bool) -> None:
    if undo == bool(reason.strip()):
        raise typer.BadParameter('give --reason "..." (readers see it), or --undo')
