"""`dougong audit`: what is installed and what is locked, against what the hub has said since."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dougong.revocations import Feed

FOUND = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """A distribution that is installed, locked, or both."""

    name: str
    version: str
    sha256: str
    where: str


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """Something that a hub has said of it."""

    name: str
    version: str
    where: str
    advisory: str
    severity: str
    revoked: bool
    summary: str


def audit(
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no hub; go by what is kept on this machine.")
    ] = False,
    hub: Annotated[str | None, typer.Option("--hub", help="Address of the hub.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Compare installed and locked plugins with advisories and revocations; exit 1 on any hit."""
    from dougong.cli.output import print_json

    note = "" if offline else _refresh(hub)
    feeds = _feeds()
    held = list(_held())
    findings = _findings(feeds, held)
    if json:
        print_json(
            {
                "checked": len(held),
                "note": note,
                "feeds": [
                    {"hub": each.url, "age_s": round(_age(each).total_seconds())} for each in feeds
                ],
                "findings": [dataclasses.asdict(each) for each in findings],
            }
        )
    else:
        _print(feeds, note, held, findings)
    return FOUND if findings else 0


def _refresh(url: str | None) -> str:
    """Fetch the hub's feed; say in a line why it could not be reached."""
    from dougong import revocations
    from dougong.errors import HubError
    from dougong.hub import Hub

    client = Hub.configured(url)
    if client is None:
        return "no hub is set; going by what is kept on this machine"
    with client:
        try:
            revocations.refresh(client)
        except HubError as error:
            # Not reached is one thing; a feed that is not what was signed is never passed over.
            if "cannot be reached" not in str(error):
                raise
            return f"{error}; going by what is kept on this machine"
    return ""


def _feeds() -> tuple[Feed, ...]:
    from dougong import revocations
    from dougong.errors import HubError

    feeds = revocations.kept()
    if not feeds:
        raise HubError(
            "nothing is known of any hub's advisories; give --hub URL or set DOUGONG_HUB_URL"
        )
    return feeds


def _held() -> Iterator[Held]:
    import importlib.metadata

    from packaging.utils import canonicalize_name

    from dougong.installed import GROUP, wheel_sha256
    from dougong.lock import Lock, find

    installed = {
        canonicalize_name(each.metadata["Name"]): (each.version, wheel_sha256(each))
        for each in importlib.metadata.distributions()
        if each.entry_points.select(group=GROUP)
    }
    path = find()
    pins = Lock.read(path).distributions if path.exists() else ()
    locked = {canonicalize_name(pin.name): (pin.version, pin.wheel) for pin in pins}
    for name, (version, sha256) in sorted(installed.items()):
        same = locked.get(name, ("", ""))[0] == version
        yield Held(name, version, sha256, "installed, locked" if same else "installed")
    for name, (version, sha256) in sorted(locked.items()):
        if installed.get(name, ("", ""))[0] != version:
            yield Held(name, version, sha256, "locked")


def _findings(feeds: Sequence[Feed], held: Sequence[Held]) -> list[Finding]:
    from dougong import revocations

    standing = revocations.standing()
    found = []
    for each in held:
        reason = standing.reason(each.name, each.version, each.sha256)
        told = [row for feed in feeds for row in feed.advisories if _concerns(row, each)]
        for row in told:
            data = row["database_specific"]
            words = (str(row["id"]), str(data["severity"]), bool(data["revoked"]))
            found.append(Finding(each.name, each.version, each.where, *words, str(row["summary"])))
        if reason and not any(each["database_specific"]["revoked"] for each in told):
            found.append(Finding(each.name, each.version, each.where, "", "", True, reason))
    return found


def _concerns(row: Any, held: Held) -> bool:
    if row.get("withdrawn"):
        return False
    for part in row["affected"]:
        if part["package"]["name"] == held.name and held.version in part["versions"]:
            return True
        if held.sha256 and held.sha256 in part["database_specific"]["sha256"]:
            return True
    return False


def _print(
    feeds: Sequence[Feed], note: str, held: Sequence[Held], findings: Sequence[Finding]
) -> None:
    from dougong.cli.output import columns, console, styled

    out = console()
    if note:
        out.print(note, soft_wrap=True, markup=False, style="yellow")
    for feed in feeds:
        hours = _age(feed).total_seconds() / 3600
        out.print(f"[dim]advisories of {feed.url}, {hours:.1f} h old[/]", soft_wrap=True)
    rows: list[list[Any]] = [
        [
            each.name,
            each.version,
            each.where,
            styled("broken" if each.revoked else "unavailable", _word(each)),
            each.severity,
            each.summary,
        ]
        for each in findings
    ]
    header = ["distribution", "version", "where", "advisory", "severity", "what"]
    if rows:
        out.print(columns(rows, header=header), soft_wrap=True)
    else:
        out.print(f"[green]nothing known[/] against {len(held)} distributions")


def _word(finding: Finding) -> str:
    return f"{finding.advisory} revoked".strip() if finding.revoked else finding.advisory


def _age(feed: Feed) -> dt.timedelta:
    return dt.datetime.now(dt.UTC) - feed.fetched_at
