"""Is a downloaded file the wheel that was promised, and only that? Read, never unpacked."""

from __future__ import annotations

import base64
import hashlib
import stat
import struct
import zipfile
from pathlib import Path, PurePosixPath

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from dougong.errors import InstallError

LARGEST_UNPACKED_BYTES = 4 << 30
LARGEST_RATIO = 50
RATIO_FROM_BYTES = 64 << 20
"""Small files may shrink as they like."""
_CHUNK = 1 << 20
_LOCAL_HEADER = struct.Struct("<4s22xHH")


def check(path: Path, *, distribution: str, version: str, sha256: str, size_bytes: int) -> None:
    """Hold a wheel against what the hub said of it and against the rules of archives.

    Raises:
        InstallError: says which rule, and which entry breaks it.
    """
    found_bytes = path.stat().st_size
    if found_bytes != size_bytes:
        raise InstallError(f"{path.name} has {found_bytes} bytes, the hub said {size_bytes}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise InstallError(
            f"{path.name} came with sha256 {found[:12]}, the hub said {sha256[:12]}: "
            "the bytes were changed in its store or on the way"
        )
    _check_name(path, distribution, version)
    try:
        with zipfile.ZipFile(path) as wheel:
            _check_entries(wheel, path)
            _check_record(wheel, path)
    except (zipfile.BadZipFile, struct.error, UnicodeDecodeError, KeyError) as error:
        raise InstallError(f"{path.name} is not a wheel: {error}") from error


def _check_name(path: Path, distribution: str, version: str) -> None:
    try:
        name, found, _, _ = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        raise InstallError(str(error)) from error
    if name != canonicalize_name(distribution) or found != Version(version):
        raise InstallError(f"{path.name} is not {distribution} {version}")


def _check_entries(wheel: zipfile.ZipFile, path: Path) -> None:
    seen: set[str] = set()
    total_bytes = 0
    for entry in wheel.infolist():
        name = entry.filename
        pure = PurePosixPath(name)
        # A reader on another system may take a backslash or a letter's case for something else.
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name or "\0" in name:
            raise InstallError(f"{path.name}: entry {name!r} leads out of the folder")
        if name.casefold() in seen:
            raise InstallError(f"{path.name}: entry {name!r} is there twice")
        seen.add(name.casefold())
        mode = entry.external_attr >> 16
        if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
            raise InstallError(f"{path.name}: entry {name!r} is a link or a device, not a file")
        _check_local_name(wheel, entry, path)
        total_bytes += entry.file_size
    ratio = total_bytes / max(path.stat().st_size, 1)
    if total_bytes > LARGEST_UNPACKED_BYTES or (
        total_bytes > RATIO_FROM_BYTES and ratio > LARGEST_RATIO
    ):
        raise InstallError(f"{path.name} would unpack to {total_bytes} bytes, {ratio:.0f} times it")


def _check_local_name(wheel: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    """An entry is described twice in an archive; readers differ in which they believe."""
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        magic, name_bytes, _ = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        local = file.read(name_bytes).decode("utf-8" if entry.flag_bits & 0x800 else "cp437")
    if magic != b"PK\x03\x04" or local != entry.orig_filename:
        raise InstallError(f"{path.name}: entry {entry.filename!r} is called {local!r} elsewhere")


def _check_record(wheel: zipfile.ZipFile, path: Path) -> None:
    """Every file must be in RECORD with its hash, so that `dougong verify` means something."""
    import csv

    names = {entry.filename for entry in wheel.infolist() if not entry.is_dir()}
    records = [name for name in names if name.endswith(".dist-info/RECORD")]
    if len(records) != 1:
        raise InstallError(f"{path.name} has {len(records)} RECORD files, a wheel has one")
    rows = list(csv.reader(wheel.read(records[0]).decode().splitlines()))
    listed = {row[0]: row[1] for row in rows if len(row) == 3}
    if len(listed) != len(rows) or set(listed) != names:
        odd = sorted(names ^ set(listed))[:3]
        raise InstallError(f"{path.name}: RECORD does not list each file once: {', '.join(odd)}")
    for name, wanted in listed.items():
        if name != records[0] and _digest(wheel, name) != wanted:
            raise InstallError(f"{path.name}: {name} is not what RECORD says")


def _digest(wheel: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with wheel.open(name) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return "sha256=" + base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


def requirements(path: Path) -> list[str]:
    """Return what a wheel requires in this environment, extras left out."""
    import email

    from packaging.requirements import Requirement

    with zipfile.ZipFile(path) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        headers = email.message_from_bytes(wheel.read(name))
    found = map(Requirement, headers.get_all("Requires-Dist") or ())
    return [str(each) for each in found if not each.marker or each.marker.evaluate({"extra": ""})]
