"""Reading a stranger's wheel without running or unpacking it."""

from __future__ import annotations

import configparser
import csv
import dataclasses
import stat
import zipfile
from pathlib import Path, PurePosixPath

from packaging.metadata import InvalidMetadata, Metadata
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from dougong_registry.problem import Refused

GROUP = "dougong"
MAX_FILES = 10_000
MAX_UNPACKED_BYTES = 2 * 1024**3
MAX_RATIO = 50
RATIO_FREE_BYTES = 64 * 1024**2
"""Below this an archive may be of any ratio: text compresses well."""
MAX_TEXT_BYTES = 4 * 1024**2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WheelInfo:
    """What a wheel says of itself."""

    filename: str
    distribution: str
    version: str
    summary: str
    license: str
    requires_python: str
    core_metadata: str
    """The METADATA file as it is."""


def inspect(path: Path, filename: str) -> WheelInfo:
    """Check the archive and read its metadata.

    Raises:
        Refused: names the rule that is broken and what was found.
    """
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise Refused(f"the file must be named like a wheel: {error}") from error
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive)
            info = f"{_dist_info(archive)}/"
            text = _text(archive, info + "METADATA")
            metadata = _metadata(text)
            _check_record(archive, info)
            _check_entry_points(_text(archive, info + "entry_points.txt"))
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, RuntimeError) as error:
        raise Refused(f"the wheel is not a readable zip archive: {error}") from error
    if canonicalize_name(metadata.name) != name or metadata.version != version:
        raise Refused(
            f"METADATA says {metadata.name} {metadata.version}, the file name {filename}; "
            "build the wheel again"
        )
    return WheelInfo(
        filename=filename,
        distribution=metadata.name,
        version=str(version),
        summary=(metadata.summary or "")[:512],
        license=(metadata.license_expression or metadata.license or "")[:256],
        requires_python=str(metadata.requires_python or "")[:128],
        core_metadata=text,
    )


def _check_members(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if len(members) > MAX_FILES:
        raise Refused(f"a wheel may hold {MAX_FILES} files at most, got {len(members)}")
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if unpacked > MAX_UNPACKED_BYTES or (
        unpacked > RATIO_FREE_BYTES and unpacked > MAX_RATIO * packed
    ):
        raise Refused(f"the wheel unpacks to {unpacked} bytes from {packed}: that is a zip bomb")
    seen = set()
    for member in members:
        _check_member(member)
        if member.filename in seen:
            raise Refused(f"the wheel holds {member.filename!r} twice; readers would disagree")
        seen.add(member.filename)


def _check_member(member: zipfile.ZipInfo) -> None:
    name = member.filename
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
        raise Refused(f"the wheel holds {name!r}, which would land outside its folder")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise Refused(f"the wheel holds {name!r}, a symbolic link; ship the file itself")
    if member.flag_bits & 0x1:
        raise Refused(f"the wheel holds {name!r} encrypted; nobody could review it")
    if path.suffix == ".pth" or path.name in {"sitecustomize.py", "usercustomize.py"}:
        raise Refused(f"the wheel holds {name!r}, which runs whenever Python starts; remove it")


def _dist_info(archive: zipfile.ZipFile) -> str:
    found = {
        name.split("/")[0]
        for name in archive.namelist()
        if name.split("/")[0].endswith(".dist-info") and name.count("/") == 1
    }
    if len(found) != 1:
        raise Refused(f"a wheel has one .dist-info folder, got {len(found)}")
    return found.pop()


def _text(archive: zipfile.ZipFile, name: str) -> str:
    try:
        member = archive.getinfo(name)
    except KeyError:
        reason = (
            f'; declare [project.entry-points.{GROUP}] in pyproject.toml, see "dougong new"'
            if name.endswith("entry_points.txt")
            else ""
        )
        raise Refused(f"the wheel has no {name}{reason}") from None
    if member.file_size > MAX_TEXT_BYTES:
        raise Refused(f"{name} may have {MAX_TEXT_BYTES} bytes at most, got {member.file_size}")
    return archive.read(member).decode()


def _metadata(text: str) -> Metadata:
    try:
        metadata = Metadata.from_email(text, validate=False)
        # Fields are read lazily: touch what is used, so that a bad one is refused here.
        _ = metadata.name, metadata.version, metadata.summary, metadata.requires_python
        _ = metadata.license_expression
    except (InvalidMetadata, ExceptionGroup) as error:
        raise Refused(f"METADATA is not valid: {error}") from error
    return metadata


def _check_record(archive: zipfile.ZipFile, info: str) -> None:
    unlisted = {f"{info}RECORD.jws", f"{info}RECORD.p7s"}
    listed = {row[0] for row in csv.reader(_text(archive, f"{info}RECORD").splitlines()) if row}
    present = {name for name in archive.namelist() if not name.endswith("/")}
    if wrong := sorted(listed.symmetric_difference(present) - unlisted):
        raise Refused(f"RECORD and the archive disagree about {', '.join(wrong[:5])}")


def _check_entry_points(text: str) -> None:
    parser = configparser.ConfigParser(delimiters=("=",), strict=False, interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise Refused(f"entry_points.txt is not valid: {error}") from error
    if not parser.has_section(GROUP) or not parser.options(GROUP):
        raise Refused(
            f"the wheel registers no plugin: it has no entry point of group {GROUP!r}; declare "
            f'[project.entry-points.{GROUP}] in pyproject.toml, see "dougong new"'
        )
