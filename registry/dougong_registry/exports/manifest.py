"""`manifest.json`: what an export holds, with the hash of every file of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from dougong_registry.problem import Refused

FORMAT = "dougong-export/1"
NAME = "manifest.json"
TABLES = "tables"
ARTIFACTS = "artifacts"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """One table's file."""

    rows: int
    size_bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an importer must know first; no time in it, so that one hub is always the same bytes."""

    tables: dict[str, TableFile]
    """By model label, as `plugins.release`."""
    artifacts: int
    """How many wheels lie beside the tables."""
    artifact_bytes: int
    with_artifacts: bool
    audit_entries: int
    audit_head: str
    migrations: list[str]
    """The schema: every migration that was applied."""
    private: list[str]
    """What was left out because it opens a door or is one person's own."""
    format: str = FORMAT

    def write(self, folder: Path) -> None:
        """Write it into an export."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True, indent=1)
        (folder / NAME).write_text(text + "\n")


def read(folder: Path) -> Manifest:
    """Read the manifest of an export.

    Raises:
        Refused: there is none, or it is of another format.
    """
    path = folder / NAME
    if not path.is_file():
        raise Refused(f"{folder} is no export: it has no {NAME}")
    try:
        data: dict[str, Any] = json.loads(path.read_text())
        if data["format"] != FORMAT:
            raise Refused(f"{path} is of format {data['format']!r}; this hub reads {FORMAT}")
        tables = {label: TableFile(**entry) for label, entry in data.pop("tables").items()}
        return Manifest(tables=tables, **data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(f"{path} is not a manifest: {error!r}") from error


def applied_migrations() -> list[str]:
    """Return the migrations of the hub's own apps that this database has, in order."""
    own = {c.label for c in apps.get_app_configs() if c.name.startswith("dougong_registry.")}
    applied = MigrationRecorder(connection).applied_migrations()
    return sorted(f"{label}.{name}" for label, name in applied if label in own)


def table_path(folder: Path, label: str) -> Path:
    """Return where the rows of a table lie."""
    return folder / TABLES / f"{label}.jsonl"


def artifact_path(folder: Path, sha256: str) -> Path:
    """Return where the bytes of a wheel lie."""
    return folder / ARTIFACTS / sha256[:2] / sha256


def digest_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
