"""`dougong install`: pip, after the evidence has been shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dougong.catalogue import Entry
    from dougong.evidence import Record
    from dougong.hub import Hub

_OPERATOR = re.compile(r"[a-z0-9][a-z0-9_.-]*/[a-z0-9][a-z0-9_.-]*")


def install(
    what: Annotated[str, typer.Argument(help="provider/name, a distribution, a wheel, a folder.")],
    deps: Annotated[bool, typer.Option("--deps", help="Let pip install what it requires.")] = False,
    hub: Annotated[str | None, typer.Option("--hub", help="Address of the hub.")] = None,
    token: Annotated[str | None, typer.Option("--token", help="Token of the hub.")] = None,
) -> None:
    """Install an operator into this environment.

    An operator of the hub comes with its verdicts, which are printed first. Nothing is swapped:
    installed is not active.
    """
    import tempfile

    from dougong import pip
    from dougong.hub import Hub

    before = _operators()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(what)
        if path.is_dir():
            pip.install([str(pip.build_wheel(path, Path(folder)))], dependencies=deps)
        elif path.suffix == ".whl":
            if not path.is_file():
                raise typer.BadParameter(f"there is no wheel {what}")
            pip.install([str(path)], dependencies=deps)
        elif _OPERATOR.fullmatch(what):
            with Hub.required(hub, token) as client:
                _from_hub(client, what, Path(folder), deps)
        else:
            pip.install([what], dependencies=deps)
    _report(before)


def _from_hub(client: Hub, name: str, folder: Path, deps: bool) -> None:
    from dougong import evidence, pip
    from dougong.cli.inventory import print_evidence
    from dougong.cli.output import console
    from dougong.errors import HubError

    detail = client.operator(name)
    release = next((each for each in detail.releases if not each.yanked_reason), None)
    if release is None:
        reason = detail.releases[0].yanked_reason if detail.releases else "none is published"
        raise HubError(f"{name} has no release to install: {reason}")
    texts = [client.verdict(run_id) for run_id in detail.run_ids]
    records: list[Record] = [
        record for text in texts if (record := evidence.add(text)).version == release.version
    ]
    operator = detail.operator
    console().print(
        f"[bold]{name}[/] from {operator.distribution} {release.version}, "
        f"sha256 {release.sha256[:12]}",
        soft_wrap=True,
    )
    print_evidence(records)
    wheel = client.artifact(release.sha256, folder)
    pip.install([str(wheel)], dependencies=deps)


def _operators() -> dict[str, Entry]:
    import importlib

    from dougong.catalogue import Catalogue

    importlib.invalidate_caches()
    return dict(Catalogue.discover().entries)


def _report(before: dict[str, Entry]) -> None:
    from dougong.cli.output import console, styled

    out = console()
    after = _operators()
    changed = [name for name, entry in after.items() if before.get(name) != entry]
    if not changed:
        out.print("installed; no operator is new (dougong list shows what is broken)")
    for name in changed:
        reason = after[name].unavailable()
        status = styled("unavailable", f"unavailable: {reason}") if reason else styled("ok")
        out.print(f"installed {name} ({after[name].operator.contract})", status, soft_wrap=True)
