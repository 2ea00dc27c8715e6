"""Reading a stranger's wheel without running or unpacking it."""

from __future__ import annotations

import configparser
import dataclasses
import struct
import zipfile
import zlib
from pathlib import Path

from packaging.metadata import InvalidMetadata, Metadata
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from dougong_registry.plugins import archive as layout
from dougong_registry.plugins import contents
from dougong_registry.problem import Refused

GROUP = "dougong"
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
            layout.check(path, archive)
            info = f"{_dist_info(archive)}/"
            text = _text(archive, info + "METADATA")
            metadata = _metadata(text)
            _check_entry_points(_text(archive, info + "entry_points.txt"))
            contents.check(archive, info, _text(archive, info + "RECORD"))
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        UnicodeDecodeError,
        RuntimeError,
        EOFError,
        zlib.error,
        struct.error,
    ) as error:
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
