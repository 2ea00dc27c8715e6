"""The typed rows of the API's lists; nothing here touches the database."""

from __future__ import annotations

import dataclasses
import datetime as dt

from dougong_registry.boards.contribution_rows import StandingRow
from dougong_registry.boards.pages import PluginRow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PluginDetail:
    """One plugin and the operators it has ever held."""

    plugin: PluginRow
    operators: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PluginRelease:
    """One release of a plugin: where it stands, and the bytes it is."""

    plugin: str
    version: str
    sha256: str
    filename: str
    size_bytes: int
    license: str
    requires_python: str
    created_at: dt.datetime
    sealed_at: dt.datetime | None
    published_at: dt.datetime | None
    yanked_at: dt.datetime | None
    yanked_reason: str
    submission_id: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PluginReleaseDetail:
    """One release and the operators found in it."""

    release: PluginRelease
    operators: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """Somebody who did something here. The login is display text; the two others say who."""

    login: str
    provider: str
    external_id: str
    created_at: dt.datetime
    submissions: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PersonDetail:
    """Somebody, and what is theirs."""

    person: PersonRow
    plugins: tuple[str, ...]
    providers: tuple[str, ...]
    standing: StandingRow
    """The role, why, and what is missing for the next."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunnerRow:
    """A machine that judges, and the key its verdicts are checked with."""

    name: str
    key_id: str
    public_key: str
    official: bool
    hardware_class: str
    created_at: dt.datetime
    last_seen_at: dt.datetime | None
    revoked_at: dt.datetime | None
