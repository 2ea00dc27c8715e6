"""The sub-command `dougong up`; everything behind it is imported when it runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def up(
    home: Annotated[
        Path | None, typer.Option(help="State folder [default: $DOUGONG_HOME or the user's data]")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port; 0 for any free one [default: 8000 or the next free one]"
        ),
    ] = None,
    submit: Annotated[
        list[Path] | None, typer.Option(help="Plugin folder or wheel to submit; may be repeated")
    ] = None,
    until_judged: Annotated[
        bool, typer.Option("--until-judged", help="Leave once everything submitted has a verdict")
    ] = False,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Judges on this machine")] = 1,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="No judge here: workers run elsewhere")
    ] = False,
    broker: Annotated[
        str | None,
        typer.Option(
            envvar="DOUGONG_BROKER_URL", help="Redis URL instead of the embedded Valkey server"
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line")] = False,
) -> int:
    """Start a hub with its worker on this machine; Ctrl-C stops all of it.

    Exit status: 0 stopped, or everything submitted is judged; 1 it could not start, or something
    has no verdict; 2 bad options; 130 interrupted before everything was judged.
    """
    from dougong_registry import environment
    from dougong_registry.serve import display
    from dougong_registry.serve.errors import UpError, UsageError
    from dougong_registry.serve.launch import Options
    from dougong_registry.serve.launch import up as launch

    chosen = {**os.environ, "DOUGONG_HOME": str(home)} if home else os.environ
    try:
        if until_judged and not submit:
            raise UsageError("--until-judged needs something to judge: add --submit PATH")
        for path in submit or ():
            if not path.exists():
                raise UsageError(f"--submit {path}: there is no such folder or wheel")
        options = Options(
            home=environment.home(chosen),
            host=host,
            port=port,
            submit=tuple(submit or ()),
            until_judged=until_judged,
            workers=0 if no_worker else workers,
            broker_url=broker or None,
        )
        return launch(options, display.choose(as_json=json))
    except UpError as error:
        print(f"dougong up: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
