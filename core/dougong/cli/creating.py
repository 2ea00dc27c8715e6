"""`dougong new`: start a plugin."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def new(
    family: Annotated[
        str, typer.Argument(help="attention, norm, activation, optimizer, backend or transform.")
    ],
    name: Annotated[str, typer.Argument(help="Second part of the operator's name: my-norm.")],
    contract: Annotated[
        str | None, typer.Option(help="Contract to implement; default: the family's plainest.")
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="First part of the operator's name; default: from git.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option(help="Folder of the project; default: NAME here.")
    ] = None,
) -> None:
    """Write a whole plugin: one operator with its definition, metadata, test and README."""
    from dougong.cli.output import console
    from dougong.scaffold import create

    folder = create(family, name, contract=contract, provider=provider, directory=directory)
    shown = Path(os.path.relpath(folder))
    out = console()
    out.print(f"[bold]{shown}[/]", soft_wrap=True)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        out.print(f"  {path.relative_to(folder)}", soft_wrap=True)
    out.print(
        f"\nnext:  cd {shown} && pip install -e '.[test]' && pytest && dougong judge .",
        soft_wrap=True,
        markup=False,
    )
