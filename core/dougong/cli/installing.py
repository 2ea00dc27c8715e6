"""`dougong install` and `dougong uninstall`: pip, after the evidence has been shown."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dougong.resolving import MIN_AGE_H

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dougong.catalogue import Entry
    from dougong.hub import Hub
    from dougong.resolving import Release, Resolution, Wanted


def install(
    what: Annotated[str, typer.Argument(help="NAME[==VERSION], provider/name, a wheel, a folder.")],
    min_age: Annotated[
        float, typer.Option(min=0, help="Hours that a release must be out, unless it is pinned.")
    ] = MIN_AGE_H,
    device: Annotated[str, typer.Option(help="It must have passed there: cpu, cuda.")] = "",
    dtype: Annotated[str, typer.Option(help="It must have passed in it: bfloat16, ...")] = "",
    allow_unmeasured: Annotated[
        bool, typer.Option("--allow-unmeasured", help="Take what is declared and never passed.")
    ] = False,
    trust: Annotated[
        str, typer.Option(help="Accept this publisher in place of the one in the lock.")
    ] = "",
    deps: Annotated[
        bool, typer.Option("--deps", help="Install what it requires, from the same hub alone.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be installed, and stop.")
    ] = False,
    no_lock: Annotated[bool, typer.Option("--no-lock", help="Leave dougong.lock alone.")] = False,
    hub: Annotated[
        str | None, typer.Option("--hub", "--index", help="Address of the one hub to take it from.")
    ] = None,
    token: Annotated[str | None, typer.Option("--token", help="Token of the hub.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Install an operator into this environment, and pin it in dougong.lock.

    The hub chooses the newest release that passed on a machine like this one; what was measured is
    printed first. Nothing is swapped: installed is not active.
    """
    from dougong.hub import Hub
    from dougong.resolving import Wanted

    path = Path(what)
    if path.is_dir() or path.suffix == ".whl":
        _install_path(path, deps=deps, lock=not no_lock)
        return
    wanted = Wanted.parse(
        what, device=device, dtype=dtype, min_age_h=min_age, allow_unmeasured=allow_unmeasured
    )
    with Hub.required(hub, token) as client:
        resolution, release = _choose(client, wanted, trust)
        done: dict[str, Any] = {**dataclasses.asdict(resolution), "installed": not dry_run}
        if not json:
            _print_resolution(resolution, release, client)
        if not dry_run:
            # First, because nothing may fail once something is installed.
            _keep_verdicts(client, resolution)
            _install_release(client, release, deps=deps)
    if not dry_run:
        publishers = {release.distribution: release.publisher}
        done |= _finish(release.distribution, publishers, lock=not no_lock, quiet=json)
    if json:
        from dougong.cli.output import print_json

        print_json(done)


def _choose(client: Hub, wanted: Wanted, trust: str) -> tuple[Resolution, Release]:
    from dougong import revocations
    from dougong.errors import InstallError
    from dougong.lock import find, known_publishers
    from dougong.resolving import chosen, resolve

    revocations.refresh(client)
    resolution = resolve(client, wanted)
    release = chosen(resolution, wanted.name)
    if reason := revocations.standing().reason(
        release.distribution, release.version, release.sha256
    ):
        raise InstallError(f"{release.distribution} {release.version} is {reason}")
    before = known_publishers(find()).get(release.distribution, "")
    if before and release.publisher not in (before, trust):
        raise InstallError(
            f"{release.distribution} was published by {before} when it was locked, and now by "
            f"{release.publisher} ({release.publisher_login}); --trust {release.publisher} accepts"
        )
    return resolution, release


def _install_release(client: Hub, release: Release, *, deps: bool) -> None:
    import tempfile

    from dougong import pip, wheels
    from dougong.errors import InstallError

    if "/" in release.filename or not release.filename.endswith(".whl"):
        raise InstallError(f"{release.filename!r} is no name of a wheel")
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder) / release.filename
        client.download(release.url, wheel, largest_bytes=release.size_bytes)
        wheels.check(
            wheel,
            distribution=release.distribution,
            version=release.version,
            sha256=release.sha256,
            size_bytes=release.size_bytes,
        )
        if deps and (needed := wheels.requirements(wheel)):
            pip.install_from(f"{client.url}/simple/", needed)
        pip.install_exactly(wheel, release.sha256)


def _keep_verdicts(client: Hub, resolution: Resolution) -> None:
    """Keep what was measured, so that `auto` can choose by it."""
    from dougong import evidence

    for row in resolution.evidence:
        evidence.add(client.verdict(str(row["run_id"])))


def _install_path(path: Path, *, deps: bool, lock: bool) -> None:
    import tempfile

    from dougong import pip

    with tempfile.TemporaryDirectory() as folder:
        wheel = pip.build_wheel(path, Path(folder)) if path.is_dir() else path
        if not wheel.is_file():
            raise typer.BadParameter(f"there is no wheel {path}")
        pip.install([str(wheel)], dependencies=deps)
        name = wheel.name.partition("-")[0]
    _finish(name, {}, lock=lock, quiet=False)


def _finish(
    distribution: str, publishers: Mapping[str, str], *, lock: bool, quiet: bool
) -> dict[str, Any]:
    """Pin what is installed, and report the operators of one distribution."""
    import importlib

    from packaging.utils import canonicalize_name

    from dougong.catalogue import Catalogue
    from dougong.errors import LockError
    from dougong.lock import Lock, find, known_publishers

    importlib.invalidate_caches()
    catalogue = Catalogue.discover()
    name = canonicalize_name(distribution)
    mine = [
        each for each in catalogue.entries.values() if canonicalize_name(each.distribution) == name
    ]
    broken = [
        str(each) for each in catalogue.broken if canonicalize_name(each.distribution) == name
    ]
    target, not_locked = find(), "" if lock else "asked not to"
    try:
        if lock:
            known = {**known_publishers(target), **publishers}
            Lock.of_installed(catalogue, known).write(target)
    except LockError as error:
        not_locked = str(error)
    if not quiet:
        _report(mine, broken, f"not locked: {not_locked}" if not_locked else f"locked in {target}")
    return {
        "operators": [each.name for each in mine],
        "broken": broken,
        "lock": None if not_locked else str(target),
    }


def _print_resolution(resolution: Resolution, release: Release, client: Hub) -> None:
    from dougong.cli.output import columns, console, styled

    out = console()
    out.print(
        f"[bold]{release.distribution} {release.version}[/]  sha256 {release.sha256[:12]}, "
        f"{release.size_bytes} bytes, published {release.published_at[:16]} by "
        f"{release.publisher_login} ({release.publisher}), from {client.url}",
        soft_wrap=True,
    )
    rows: list[list[Any]] = []
    for run in resolution.evidence:
        first = [run["operator"], styled(run["outcome"], run["code"]), run["hardware_class"]]
        for speed in run["speeds"] or [None]:
            cells = ["", "", "", ""]
            if speed:
                interval = f"{speed['ci_low']:.2f} to {speed['ci_high']:.2f}"
                cells = [speed["dtype"], speed["mode"], f"{speed['speedup']:.2f}x", interval]
            rows.append([*first, *cells, run["run_id"]])
            first = ["", "", ""]
    header = ["operator", "outcome", "hardware", "dtype", "mode", "speed-up", "95%", "verdict"]
    if rows:
        out.print(columns(rows, header=header), soft_wrap=True)
    for warning in resolution.warnings:
        out.print(f"[yellow]{warning}[/]", soft_wrap=True)
    for row in resolution.passed_over:
        text = f"passed over {row['version']}: {row['reason']}"
        out.print(text, soft_wrap=True, markup=False, style="dim")


def _report(entries: list[Entry], broken: list[str], lock: str) -> None:
    from dougong.cli.output import console, styled

    out = console()
    for entry in entries:
        reason = entry.unavailable()
        status = styled("unavailable", f"unavailable: {reason}") if reason else styled("ok")
        out.print(f"installed {entry.name} ({entry.operator.contract})", status, soft_wrap=True)
    for text in broken:
        out.print(f"[red]installed, and broken: {text}[/]", soft_wrap=True)
    if not entries and not broken:
        out.print("installed; it registers no operator that can be used")
    out.print(lock, soft_wrap=True, style="dim")


def uninstall(
    name: Annotated[str, typer.Argument(help="A distribution, or provider/name of an operator.")],
) -> None:
    """Take a plugin out of this environment and out of dougong.lock."""
    from dougong import pip
    from dougong.cli.output import console
    from dougong.lock import Lock, find

    distribution = _distribution_of(name)
    pip.uninstall(distribution)
    out = console()
    out.print(f"uninstalled {distribution}")
    if (target := find()).exists():
        Lock.read(target).without(distribution).write(target)
        out.print(f"taken out of {target}", soft_wrap=True, style="dim")


def _distribution_of(name: str) -> str:
    import importlib.metadata

    from dougong.catalogue import Catalogue
    from dougong.errors import InstallError
    from dougong.installed import GROUP

    if "/" in name:
        return Catalogue.discover().get(name).distribution
    try:
        points = importlib.metadata.distribution(name).entry_points
    except importlib.metadata.PackageNotFoundError:
        raise InstallError(f"{name} is not installed; dougong list shows what is") from None
    if not points.select(group=GROUP):
        raise InstallError(f"{name} is not a plugin of Dougong; pip uninstall takes it out")
    return name
