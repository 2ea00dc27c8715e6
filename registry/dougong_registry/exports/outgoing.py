"""Writing an export: table by table, row by row, in one state of the database."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from dougong_registry.audit.services import verify
from dougong_registry.exports import manifest
from dougong_registry.exports.lines import to_line
from dougong_registry.exports.manifest import Manifest, TableFile
from dougong_registry.exports.policy import ModelType, exported_models, private_names
from dougong_registry.exports.snapshot import snapshot
from dougong_registry.plugins import store
from dougong_registry.plugins.models import Artifact
from dougong_registry.problem import Conflict, Refused

CHUNK_ROWS = 50
"""Rows in memory at once; a verdict with its raw samples can be of megabytes."""


def export_write(*, out: Path, with_artifacts: bool = True) -> Manifest:
    """Write the whole hub into a new folder; it appears when it is complete.

    Raises:
        Conflict: there is something at `out`.
        Refused: the audit log is broken, or a wheel is missing or has other bytes.
    """
    if out.exists():
        raise Conflict(f"{out} exists; name a folder that does not")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / manifest.TABLES).mkdir(parents=True)
    try:
        with snapshot():
            written = _write(partial, with_artifacts=with_artifacts)
        written.write(partial)
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return written


def _write(folder: Path, *, with_artifacts: bool) -> Manifest:
    chain = verify()
    if chain.broken_at is not None:
        raise Refused(f"the audit log is broken, so nothing is exported: {chain.reason}")
    tables = {model._meta.label_lower: _write_table(folder, model) for model in exported_models()}
    count, size_bytes = _write_artifacts(folder) if with_artifacts else (0, 0)
    return Manifest(
        tables=tables,
        artifacts=count,
        artifact_bytes=size_bytes,
        with_artifacts=with_artifacts,
        audit_entries=chain.entries,
        audit_head=chain.head,
        migrations=manifest.applied_migrations(),
        private=private_names(),
    )


def _write_table(folder: Path, model: ModelType) -> TableFile:
    digest, rows, size_bytes = hashlib.sha256(), 0, 0
    with manifest.table_path(folder, model._meta.label_lower).open("wb") as file:
        rows_in_order = model._base_manager.order_by("pk")
        for row in rows_in_order.iterator(chunk_size=CHUNK_ROWS):
            line = to_line(row)
            digest.update(line)
            file.write(line)
            rows, size_bytes = rows + 1, size_bytes + len(line)
    return TableFile(rows=rows, size_bytes=size_bytes, sha256=digest.hexdigest())


def _write_artifacts(folder: Path) -> tuple[int, int]:
    count = total_bytes = 0
    wheels = Artifact.objects.order_by("pk").values_list("sha256", "size_bytes", "filename")
    for sha256, size_bytes, filename in wheels.iterator(chunk_size=CHUNK_ROWS):
        kept, copy = store.path_of(sha256), manifest.artifact_path(folder, sha256)
        if not kept.is_file():
            raise Refused(
                f"the bytes of {filename} are missing: {kept}; put them back from a backup, or "
                "export with --no-artifacts"
            )
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(kept, copy)
        if manifest.digest_of(copy) != sha256:
            raise Refused(f"the bytes of {filename} are not those of its sha256 any more: {kept}")
        count, total_bytes = count + 1, total_bytes + size_bytes
    return count, total_bytes
