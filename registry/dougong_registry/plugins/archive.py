"""What a wheel may be as an archive, so that every reader of it sees the same files.

Zip files can be written so that two programs unpack different things from one of them: entries
listed nowhere, listed twice, overlapping, or named otherwise in their own header than in the
directory at the end. Here every byte of the file belongs to exactly one entry or to the directory,
and the two places that describe an entry agree.

Layout after APPNOTE.TXT 6.3.10 of PKWARE, sections 4.3 and 4.4.
"""

from __future__ import annotations

import stat
import struct
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from dougong_registry.problem import Refused

MAX_FILES = 10_000
MAX_UNPACKED_BYTES = 2 * 1024**3
MAX_RATIO = 50
RATIO_FREE_BYTES = 64 * 1024**2
"""Below this an archive may be of any ratio: text compresses well."""
MAX_NAME_CHARACTERS = 200

_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_MAGIC = b"PK\x03\x04"
_END = struct.Struct("<4s4H2LH")
_END_MAGIC = b"PK\x05\x06"
_DESCRIPTOR_MAGIC = b"PK\x07\x08"
_ENCRYPTED, _STREAMED, _MASKED = 0x1, 0x8, 0x2000
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_UNICODE_PATH = 0x7075
"""Extra field that gives an entry a second name."""
_KINDS = {0, stat.S_IFREG, stat.S_IFDIR}


def check(path: Path, archive: zipfile.ZipFile) -> None:
    """Hold an archive to the rules.

    Raises:
        Refused: names the rule that is broken and what was found.
    """
    members = archive.infolist()
    _check_sizes(members)
    _check_names(members)
    for member in members:
        _check_member(member)
    with path.open("rb") as file:
        _check_layout(file, path.stat().st_size, members)


def _check_sizes(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_FILES:
        raise Refused(f"a wheel may hold {MAX_FILES} files at most, got {len(members)}")
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if unpacked > MAX_UNPACKED_BYTES or (
        unpacked > RATIO_FREE_BYTES and unpacked > MAX_RATIO * packed
    ):
        raise Refused(f"the wheel unpacks to {unpacked} bytes from {packed}: that is a zip bomb")


def _check_names(members: list[zipfile.ZipInfo]) -> None:
    """No two entries may land in one place on any file system, nor a file where a folder must."""
    seen: dict[str, str] = {}
    for member in members:
        key = unicodedata.normalize("NFKC", member.filename).casefold().rstrip("/")
        if key in seen:
            raise Refused(
                f"the wheel holds {seen[key]!r} and {member.filename!r}, one place on some file "
                "systems; readers would disagree"
            )
        seen[key] = member.filename
    files = {key for key, name in seen.items() if not name.endswith("/")}
    for key in seen:
        for parent in PurePosixPath(key).parents:
            if str(parent) in files:
                raise Refused(f"the wheel holds {seen[str(parent)]!r} as a file and as a folder")


def _check_member(member: zipfile.ZipInfo) -> None:
    name = member.filename
    path = PurePosixPath(name)
    parts = name.removesuffix("/").split("/")
    if path.is_absolute() or not path.parts or "\\" in name or ":" in path.parts[0]:
        raise Refused(f"the wheel holds {name!r}, which would land outside its folder")
    if {"", ".", ".."} & set(parts):
        raise Refused(f"the wheel holds {name!r}; a path has neither empty parts nor dots")
    if len(name) > MAX_NAME_CHARACTERS or not name.isprintable() or name != member.orig_filename:
        raise Refused(
            f"the wheel holds {name[:80]!r}; a path has {MAX_NAME_CHARACTERS} printable "
            "characters at most"
        )
    if any(part != part.rstrip(". ") for part in parts):
        raise Refused(f"the wheel holds {name!r}; some file systems drop a final dot or space")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise Refused(f"the wheel holds {name!r}, a symbolic link; ship the file itself")
    if kind not in _KINDS:
        raise Refused(f"the wheel holds {name!r}, neither a file nor a folder")
    if member.external_attr >> 16 & (stat.S_ISUID | stat.S_ISGID):
        raise Refused(f"the wheel holds {name!r} with the rights of its owner; drop the bit")
    if name.endswith("/") and member.file_size:
        raise Refused(f"the wheel holds {name!r}, a folder with content")
    if member.flag_bits & (_ENCRYPTED | _MASKED):
        raise Refused(f"the wheel holds {name!r} encrypted; nobody could review it")
    if member.compress_type not in _METHODS:
        raise Refused(
            f"the wheel holds {name!r} compressed by method {member.compress_type}; "
            "a wheel is stored or deflated"
        )
    if _UNICODE_PATH in _extra_ids(member.extra):
        raise Refused(f"the wheel gives {name!r} a second name; build it with an ordinary tool")


def _extra_ids(extra: bytes) -> Iterator[int]:
    at = 0
    while at + 4 <= len(extra):
        identity, size = struct.unpack_from("<2H", extra, at)
        yield identity
        at += 4 + size


def _check_layout(file: BinaryIO, size: int, members: list[zipfile.ZipInfo]) -> None:
    """Hold the file to: entries back to back from byte 0, the directory, its end, nothing else."""
    file.seek(max(size - _END.size, 0))
    tail = file.read(_END.size)
    if len(tail) < _END.size or not tail.startswith(_END_MAGIC):
        raise Refused("the wheel has bytes after its end, or a comment; build it again")
    _, disk, first_disk, here, total, directory_bytes, directory_at, comment = _END.unpack(tail)
    if disk or first_disk or comment or not here == total == len(members):
        raise Refused(
            f"the wheel's directory says {total} files and readers find {len(members)}; build it "
            "again with an ordinary tool"
        )
    if directory_at + directory_bytes + _END.size != size:
        raise Refused("the wheel's directory does not end where the file does; build it again")
    at = 0
    for member in sorted(members, key=lambda each: each.header_offset):
        if member.header_offset != at:
            raise Refused(f"the wheel has bytes that belong to no file before {member.filename!r}")
        at = _end_of(file, member)
    if at != directory_at:
        raise Refused("the wheel has bytes that belong to no file before its directory")


def _end_of(file: BinaryIO, member: zipfile.ZipInfo) -> int:
    """Compare an entry's own header with the directory, and return where the entry ends."""
    file.seek(member.header_offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size:
        raise Refused(f"the wheel is cut off at {member.filename!r}")
    magic, _, flags, method, _, _, crc, packed, unpacked, name_bytes, extra_bytes = _LOCAL.unpack(
        header
    )
    name = file.read(name_bytes).decode("utf-8" if flags & 0x800 else "cp437", "replace")
    extra = file.read(extra_bytes)
    streamed = bool(flags & _STREAMED)
    sizes = (crc, packed, unpacked)
    listed = (member.CRC, member.compress_size, member.file_size)
    if (
        magic != _LOCAL_MAGIC
        or name != member.orig_filename
        or method != member.compress_type
        or flags != member.flag_bits
        or not (sizes == listed or (streamed and sizes == (0, 0, 0)))
        or _UNICODE_PATH in _extra_ids(extra)
    ):
        raise Refused(
            f"the wheel describes {member.filename!r} twice, and differently; readers would "
            "disagree, so build it again"
        )
    end: int = member.header_offset + _LOCAL.size + name_bytes + extra_bytes + member.compress_size
    if streamed:
        file.seek(end)
        end += 16 if file.read(4) == _DESCRIPTOR_MAGIC else 12
    return end
