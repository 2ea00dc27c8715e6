"""The one repository that a hub serves, if it serves any: read from the environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Whose pull requests are taken, and how the forge is spoken to."""

    repository_id: int
    owner: str
    name: str
    app_id: int
    installation_id: int
    private_key: Path
    webhook_secret: str
    """Empty where the hub only polls."""
    people: Path | None
    api_url: str
    git_url: str

    @property
    def mirror(self) -> Path:
        """The bare repository that commits are fetched into."""
        return folder() / f"{self.repository_id}.git"


def folder() -> Path:
    """Return where the forge's files lie: the mirror, sources and wheels on their way."""
    return Path(settings.DOUGONG_HOME) / "forge"


def configured() -> Config | None:
    """Return the configuration; None where the hub serves no forge, which is the default."""
    values: Mapping[str, str] = settings.FORGE
    if not values:
        return None
    owner, _, name = values["REPOSITORY"].partition("/")
    people = values.get("PEOPLE")
    return Config(
        repository_id=int(values["REPOSITORY_ID"]),
        owner=owner,
        name=name,
        app_id=int(values["APP_ID"]),
        installation_id=int(values["INSTALLATION_ID"]),
        private_key=Path(values["PRIVATE_KEY"]),
        webhook_secret=values.get("WEBHOOK_SECRET", ""),
        people=Path(people) if people else None,
        api_url=values.get("API_URL", "https://api.github.com"),
        git_url=values.get("GIT_URL", f"https://github.com/{owner}/{name}.git"),
    )
