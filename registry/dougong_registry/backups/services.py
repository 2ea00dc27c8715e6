"""Backing a hub up into one tar file, and restoring it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tarfile
import tempfile
from pathlib import Path

from django.conf import settings
from django.db import connection

from dougong_registry.audit.services import Chain, verify
from dougong_registry.backups import engines
from dougong_registry.plugins import store
from dougong_registry.plugins.models import Artifact
from dougong_registry.problem import Conflict, Refused

FORMAT = "dougong-backup/1"
DATABASE = "database"
SECRETS = ("secret_key", "runner.pem")
"""Files of the state folder that another machine cannot make again."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a backup holds."""

    engine: str
    """`sqlite` or `postgresql`: a backup is restored on the engine it was made on."""
    files: dict[str, str]
    """Path in the file, and sha256."""
    format: str = FORMAT


def backup_write(*, path: Path) -> Backup:
    """Write database, wheels and secrets to one new file that only its owner may read.

    Raises:
        Conflict: there is a file at `path`.
        Refused: a wheel is missing or has other bytes, or the database cannot be copied.
    """
    if path.exists():
        raise Conflict(f"{path} exists; name a file that does not")
    with tempfile.TemporaryDirectory(dir=path.resolve().parent, prefix=".backup.") as folder:
        database, whole = Path(folder) / DATABASE, Path(folder) / "whole.tar"
        engines.copy_out(database)
        whole.touch(mode=0o600)
        with tarfile.open(whole, "w") as tar:
            found = Backup(engine=connection.vendor, files=_add_all(tar, database))
            manifest = Path(folder) / "manifest.json"
            manifest.write_text(json.dumps(dataclasses.asdict(found), sort_keys=True))
            tar.add(manifest, "manifest.json")
        whole.rename(path)
    return found


def backup_restore(*, path: Path, force: bool = False) -> Chain:
    """Put a backup in this hub's place, and return its audit log, checked.

    Raises:
        Conflict: there is a hub already, or another engine.
        Refused: the backup is damaged, or its audit log is broken.
    """
    if not path.is_file():
        raise Refused(f"{path} is no file")
    home = Path(settings.DOUGONG_HOME)
    if not force and engines.holds_something():
        raise Conflict(
            "there are tables in this hub's database; restore into a new one, or replace all of it "
            "with --force"
        )
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=home, prefix=".restore.") as name:
        folder = Path(name)
        found = _unpack(path, folder)
        engines.check(folder / DATABASE)
        engines.copy_in(folder / DATABASE)
        _put_back(folder, home, found)
    chain = verify()
    if chain.broken_at is not None:
        raise Refused(f"restored, but the audit log is broken: {chain.reason}")
    return chain


def _add_all(tar: tarfile.TarFile, database: Path) -> dict[str, str]:
    files = {DATABASE: _digest(database)}
    tar.add(database, DATABASE)
    # Listed after the database was copied: wheels are only added, so none of it is missing.
    for sha256 in Artifact.objects.order_by("pk").values_list("sha256", flat=True).iterator():
        kept, inside = store.path_of(sha256), f"artifacts/{sha256[:2]}/{sha256}"
        if not kept.is_file() or _digest(kept) != sha256:
            raise Refused(f"{kept} is missing or has other bytes; mend it from an older backup")
        files[inside] = sha256
        tar.add(kept, inside)
    for name in SECRETS:
        secret = Path(settings.DOUGONG_HOME) / name
        if secret.is_file():
            files[name] = _digest(secret)
            tar.add(secret, name)
    return files


def _unpack(path: Path, folder: Path) -> Backup:
    try:
        with tarfile.open(path) as tar:
            tar.extractall(folder, filter="data")
        found = Backup(**json.loads((folder / "manifest.json").read_text()))
    except (OSError, tarfile.TarError, ValueError, TypeError) as error:
        raise Refused(f"{path} is not a backup: {error}") from error
    if found.format != FORMAT:
        raise Refused(f"{path} is of format {found.format!r}; this hub reads {FORMAT}")
    if found.engine != connection.vendor:
        raise Conflict(
            f"{path} was made on {found.engine}, this hub is on {connection.vendor}; move between "
            "engines with `dougong-hub export` and `import`"
        )
    for name, sha256 in found.files.items():
        inside = folder / name
        if not inside.is_file() or _digest(inside) != sha256:
            raise Refused(f"{name} of {path} is missing or was changed")
    return found


def _put_back(folder: Path, home: Path, found: Backup) -> None:
    for name in found.files:
        if name == DATABASE:
            continue
        place = home / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if name in SECRETS:
            (folder / name).chmod(0o600)
        (folder / name).replace(place)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
