"""`dougong lock`, `dougong sync` and `dougong verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dougong.lock import Lock, Pin

LockPath = Annotated[
    Path | None, typer.Option("--lock", help="The lock file; default: here or in a folder above.")
]
DIFFERENT = 1


def lock(path: LockPath = None) -> None:
    """Pin every installed plugin in dougong.lock: version, files, contracts, verdicts."""
    from dougong.catalogue import Catalogue
    from dougong.cli.output import console
    from dougong.lock import Lock, find, known_publishers

    target = path or find()
    catalogue = Catalogue.discover()
    made = Lock.of_installed(catalogue, known_publishers(target))
    made.write(target)
    out = console()
    files = sum(len(pin.files) for pin in made.distributions)
    out.print(
        f"locked {len(made.operators)} operators of {len(made.distributions)} distributions "
        f"({files} files) in {target}",
        soft_wrap=True,
    )
    for pin in made.distributions:
        note = "  [yellow]editable: only its present files are pinned[/]" if pin.editable else ""
        out.print(f"  {pin.name} {pin.version}{note}", soft_wrap=True)
    for broken in catalogue.broken:
        out.print(f"  [red]not locked: {broken}[/]", soft_wrap=True)
    for name in catalogue.duplicates:
        out.print(f"  [red]not locked: {name} is registered more than once[/]", soft_wrap=True)


def verify(
    path: LockPath = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Hash every locked file again and compare contracts; exit 1 where anything differs."""
    from dougong.cli.output import console, print_json
    from dougong.lock import Lock

    held = Lock.read(path)
    found = differences(held)
    if json:
        print_json({"identical": not found, "differences": found})
        return DIFFERENT if found else 0
    out = console()
    for line in found:
        out.print(line, soft_wrap=True, markup=False)
    if not found:
        files = sum(len(pin.files) for pin in held.distributions)
        out.print(f"[green]identical[/]: {files} files, {len(held.operators)} operators")
    return DIFFERENT if found else 0


def differences(held: Lock) -> list[str]:
    """Compare files first; plugins are imported only where their files are the locked ones."""
    from dougong.catalogue import Catalogue

    return list(held.differences()) or list(held.operator_differences(Catalogue.discover()))


def sync(
    path: LockPath = None,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Never change the lock; refuse whatever differs.")
    ] = False,
    find_links: Annotated[
        str | None, typer.Option(help="Take wheels from this folder or page, not from an index.")
    ] = None,
    hub: Annotated[str | None, typer.Option(help="Address of the hub.")] = None,
) -> int:
    """Install exactly the versions and bytes that dougong.lock pins.

    Without --frozen, plugins that are installed and not locked yet are added to the lock.
    """
    from dougong.cli.output import console
    from dougong.lock import Lock, find, pin_differences

    target = path or find()
    held = Lock.read(target)
    out = console()
    for pin in held.distributions:
        if not list(pin_differences(pin)):
            continue
        if pin.editable:
            out.print(f"{pin.name} {pin.version}: editable, install it from its folder")
            continue
        _install(pin, find_links, hub)
        out.print(f"installed {pin.name} {pin.version}")
    found = differences(held)
    for line in found:
        out.print(line, soft_wrap=True, markup=False)
    if found:
        return DIFFERENT
    if not frozen:
        _add_unlocked(held, target)
    out.print(f"[green]identical[/] with {target}", soft_wrap=True)
    return 0


def _add_unlocked(held: Lock, target: Path) -> None:
    from dougong.catalogue import Catalogue
    from dougong.cli.output import console
    from dougong.lock import Lock

    catalogue = Catalogue.discover()
    added = sorted(set(catalogue.entries) - {pin.name for pin in held.operators})
    if added:
        Lock.of_installed(catalogue, held.publishers()).write(target)
        console().print(f"added to the lock: {', '.join(added)}", soft_wrap=True)


def _install(pin: Pin, find_links: str | None, hub: str | None) -> None:
    import tempfile

    from dougong import pip, revocations
    from dougong.errors import LockError
    from dougong.hub import Hub

    if reason := revocations.standing().reason(pin.name, pin.version, pin.wheel):
        raise LockError(f"{pin.name} {pin.version} is not installed: {reason}")
    exact = f"{pin.name}=={pin.version}"
    options = ["--force-reinstall"]
    if find_links:
        pip.install([exact], dependencies=False, options=[*options, "--no-index", "-f", find_links])
        return
    client = Hub.configured(hub)
    if not (client and pin.wheel):
        pip.install([exact], dependencies=False, options=options)
        return
    with tempfile.TemporaryDirectory() as folder, client:
        wheel = client.artifact(pin.wheel, Path(folder))
        pip.install([str(wheel)], dependencies=False, options=options)
