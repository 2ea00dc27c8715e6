"""Filling an empty hub from an export: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.core.management.color import no_style
from django.db import DatabaseError, connection, models, transaction

from dougong_registry.boards.services import places_rebuild
from dougong_registry.contributions.months import months_rebuild
from dougong_registry.contributions.standings import standings_rebuild
from dougong_registry.exports import manifest
from dougong_registry.exports.evidence import (
    check_audit,
    check_contributions,
    check_revocations,
    check_runs,
)
from dougong_registry.exports.lines import from_line
from dougong_registry.exports.manifest import Manifest
from dougong_registry.exports.policy import ModelType, exported_models, hub_models
from dougong_registry.guards.install import install
from dougong_registry.plugins import store
from dougong_registry.plugins.models import Artifact
from dougong_registry.problem import Conflict, Refused
from dougong_registry.search.services import entries_rebuild

BATCH_ROWS = 200
BATCH_BYTES = 8 * 1024 * 1024
_READ_BYTES = 1024 * 1024


def import_read(*, folder: Path, with_artifacts: bool = True, recompute: bool = False) -> Manifest:
    """Fill this hub, which must be empty and migrated, from an export.

    Args:
        folder: What `export_write` wrote.
        with_artifacts: Whether the wheels are wanted; without them nothing can be installed.
        recompute: Compute every score again from the raw samples; takes its time.

    Raises:
        Conflict: this hub is not empty, or of another schema.
        Refused: a file, a signature or the audit log is not what it was.
    """
    found = manifest.read(folder)
    _refuse_other_schema(found)
    _refuse_full_hub()
    _check_files(folder, found)
    if with_artifacts and not found.with_artifacts:
        raise Refused("this export has no wheels; import it with --no-artifacts")
    try:
        with transaction.atomic():
            for model in exported_models():
                _fill(folder, model)
            _reset_sequences()
            connection.check_constraints()
            check_runs(recompute=recompute)
            check_revocations()
            check_audit(found)
            check_contributions()
            _derive()
            if with_artifacts:
                _take_artifacts(folder)
            install(connection)
    except DatabaseError as error:
        raise Refused(f"the database refuses the export: {error}") from error
    return found


def _refuse_other_schema(found: Manifest) -> None:
    here = manifest.applied_migrations()
    if here != found.migrations:
        differing = sorted(set(here) ^ set(found.migrations))
        raise Conflict(
            f"the export and this hub differ in {', '.join(differing)}; bring both to one version "
            "of dougong, run `dougong-hub migrate`, and export again"
        )


def _refuse_full_hub() -> None:
    full = [model._meta.label_lower for model in hub_models() if model._base_manager.exists()]
    if full:
        raise Conflict(
            f"this hub is not empty: there are rows in {', '.join(full)}; import into a new one "
            "(another DOUGONG_HOME or DOUGONG_DATABASE_URL, then `dougong-hub migrate`)"
        )


def _check_files(folder: Path, found: Manifest) -> None:
    wanted = {model._meta.label_lower for model in exported_models()}
    if set(found.tables) != wanted:
        differing = ", ".join(sorted(set(found.tables) ^ wanted))
        raise Refused(
            f"the manifest must list every table of this hub once; it differs in {differing}"
        )
    for label, entry in found.tables.items():
        path = manifest.table_path(folder, label)
        if not path.is_file():
            raise Refused(f"{path} is missing")
        if manifest.digest_of(path) != entry.sha256:
            raise Refused(f"{path} was changed: its sha256 is not the manifest's {entry.sha256}")


def _fill(folder: Path, model: ModelType) -> None:
    for batch in _batches(manifest.table_path(folder, model._meta.label_lower), model):
        model._base_manager.bulk_create(batch)


def _batches(path: Path, model: ModelType) -> Iterator[list[models.Model]]:
    batch: list[models.Model] = []
    size_bytes = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            batch.append(from_line(model, line, f"{path.name} line {number}"))
            size_bytes += len(line)
            if len(batch) >= BATCH_ROWS or size_bytes >= BATCH_BYTES:
                yield batch
                batch, size_bytes = [], 0
    if batch:
        yield batch


def _derive() -> None:
    """Fill the tables of boards, search and community from what was imported."""
    rebuilds = (entries_rebuild(), places_rebuild(), standings_rebuild(), months_rebuild())
    for rebuilt in rebuilds:
        for _ in rebuilt:
            pass


def _reset_sequences() -> None:
    """Let PostgreSQL count on from the highest key; SQLite does so by itself."""
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), exported_models()):
            cursor.execute(sql)


def _take_artifacts(folder: Path) -> None:
    wheels = Artifact.objects.order_by("pk").values_list("sha256", "size_bytes", "filename")
    for sha256, size_bytes, filename in wheels.iterator(chunk_size=BATCH_ROWS):
        path = manifest.artifact_path(folder, sha256)
        if not path.is_file():
            raise Refused(f"the bytes of {filename} are missing: {path}")
        incoming = store.receive(_chunks(path))
        if (incoming.sha256, incoming.size_bytes) != (sha256, size_bytes):
            incoming.drop()
            raise Refused(f"{path} was changed: it is not the {size_bytes} bytes of {filename}")
        incoming.keep()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            yield chunk
