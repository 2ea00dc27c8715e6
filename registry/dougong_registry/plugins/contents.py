"""What may lie in a wheel: files as RECORD says, that people can review, under names of their own.

Every file is read once, in pieces, whatever its size.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import sys
import unicodedata
import zipfile
from pathlib import PurePosixPath

from dougong_registry.problem import Refused

_CHUNK_BYTES = 1 << 20
_HEAD_BYTES = 512
_MAX_SOURCE_BYTES = 8 * 1024**2
SOURCES = {".py", ".pyi", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".toml", ".txt"}
"""Suffixes of what a person reviews by reading."""
PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".dill"}
ARCHIVES = {
    b"PK\x03\x04": "a zip archive (torch.save writes one)",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\x00": "an xz archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-zip archive",
    b"Rar!\x1a\x07": "a rar archive",
    b"\x28\xb5\x2f\xfd": "a zstandard archive",
}
_BOM, _JOINER, _SELECTOR = 0xFEFF, 0x200D, 0xFE0F
_EMOJI, _AS_EMOJI = (_JOINER, _SELECTOR), chr(_SELECTOR)
HIDDEN = (
    *range(0x200B, 0x2010),  # zero width, and marks of direction
    *range(0x202A, 0x202F),  # embedding and overriding of direction
    *range(0x2060, 0x2070),  # invisible operators, isolation of direction
    0x00AD,
    0x034F,
    0x061C,
    0x115F,
    0x1160,
    0x17B4,
    0x17B5,
    0x180E,
    0x3164,
    0xFFA0,
    _BOM,
)
"""Characters that nobody sees and a compiler does (Boucher & Anderson 2021, Trojan Source)."""
_HIDDEN_RANGES = (
    (0xE000, 0xF8FF),  # private use
    (0xFE00, 0xFE0F),  # variation selectors
    (0xE0000, 0xE01EF),  # tags, and more variation selectors
    (0xF0000, 0x10FFFF),  # private use
)
RESERVED = frozenset(
    {
        *sys.stdlib_module_names,
        "dougong",
        "dougong_ci",
        "dougong_registry",
        "functorch",
        "numpy",
        "pip",
        "setuptools",
        "torch",
        "torchao",
        "torchgen",
        "torchvision",
        "transformers",
        "triton",
        "typing_extensions",
    }
)
"""Module names that a plugin would take the place of."""
_STARTERS = {"sitecustomize.py", "usercustomize.py"}


def check(archive: zipfile.ZipFile, info: str, record_text: str) -> None:
    """Hold the files of a wheel to the rules.

    Args:
        archive: Whose layout was checked.
        info: Its `.dist-info/` folder, with the slash.
        record_text: Its RECORD.

    Raises:
        Refused: names the rule that is broken and what was found.
    """
    record = _record(record_text)
    unlisted = {f"{info}RECORD.jws", f"{info}RECORD.p7s"}
    present = [name for name in archive.namelist() if not name.endswith("/")]
    if wrong := sorted(set(record).symmetric_difference(present) - unlisted):
        raise Refused(f"RECORD and the archive disagree about {', '.join(wrong[:5])}")
    for name in present:
        _check_place(name, info)
        _check_file(archive, name, record.get(name, ""), own=name == f"{info}RECORD")


def _record(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in csv.reader(io.StringIO(text)):
        if row and row[0] in found:
            raise Refused(f"RECORD lists {row[0]!r} twice; build the wheel again")
        if row:
            found[row[0]] = row[1] if len(row) > 1 else ""
    return found


def _check_place(name: str, info: str) -> None:
    path = PurePosixPath(name)
    if path.suffix == ".pth" or path.name in _STARTERS:
        raise Refused(f"the wheel holds {name!r}, which runs whenever Python starts; remove it")
    if path.suffix in PICKLES:
        raise Refused(
            f"the wheel holds {name!r}: a pickle runs code when it is read; use safetensors"
        )
    top = path.parts[0]
    if top.endswith(".data"):
        raise Refused(
            f"the wheel holds {name!r}; a plugin installs modules, and nothing beside them"
        )
    if name.startswith(info):
        return
    module = top.partition(".")[0]
    if module in RESERVED:
        raise Refused(
            f"the wheel holds {name!r}, which would take the place of {module}; keep modules under "
            "a name of your own"
        )


def _check_file(archive: zipfile.ZipFile, name: str, recorded: str, *, own: bool) -> None:
    is_source = PurePosixPath(name).suffix in SOURCES
    digest, head, kept = hashlib.sha256(), b"", io.BytesIO()
    with archive.open(name) as file:
        while piece := file.read(_CHUNK_BYTES):
            digest.update(piece)
            head = head or piece[:_HEAD_BYTES]
            if is_source and kept.tell() <= _MAX_SOURCE_BYTES:
                kept.write(piece)
    if not own:
        _check_hash(name, recorded, digest.digest())
    for magic, what in ARCHIVES.items():
        if head.startswith(magic):
            raise Refused(f"the wheel holds {name!r}, {what} within it; ship what is in it")
    if head[257:262] == b"ustar":
        raise Refused(f"the wheel holds {name!r}, a tar archive within it; ship what is in it")
    if _is_pickle(head):
        raise Refused(
            f"the wheel holds {name!r}: a pickle runs code when it is read; use safetensors"
        )
    if is_source:
        _check_source(name, kept.getvalue())


def _check_hash(name: str, recorded: str, digest: bytes) -> None:
    kind, _, value = recorded.partition("=")
    if kind != "sha256":
        raise Refused(f"RECORD must give a sha256 for {name!r}, got {recorded[:40]!r}")
    if value.rstrip("=") != base64.urlsafe_b64encode(digest).rstrip(b"=").decode():
        raise Refused(f"{name!r} is not as RECORD says; build the wheel again")


def _is_pickle(head: bytes) -> bool:
    """Say whether a file begins as protocols 2 to 5 do: PROTO, and from 4 on FRAME."""
    if len(head) < 2 or head[0] != 0x80:
        return False
    return head[1] in (2, 3) or (head[1] in (4, 5) and head[2:3] == b"\x95")


def _check_source(name: str, data: bytes) -> None:
    if len(data) > _MAX_SOURCE_BYTES:
        raise Refused(f"{name!r} has over {_MAX_SOURCE_BYTES} bytes; nobody could review it")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"{name!r} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    if (at := _first_hidden(text)) is not None:
        line = text.count("\n", 0, at) + 1
        raise Refused(
            f"{name!r} holds the character U+{ord(text[at]):04X} in line {line}, which nobody "
            "sees; write it as an escape"
        )


def _first_hidden(text: str) -> int | None:
    """Return where a character is that nobody sees.

    A selector or joiner after a pictograph is how emoji are spelt, and a mark at the very start is
    how some editors write UTF-8: those are let be.
    """
    if text.isascii():
        return None
    for at, character in enumerate(text):
        code = ord(character)
        if not (code in HIDDEN or any(low <= code <= high for low, high in _HIDDEN_RANGES)):
            continue
        before = text[at - 1] if at else ""
        if code == _BOM and not at:
            continue
        if (
            code in _EMOJI
            and before
            and (unicodedata.category(before) == "So" or before == _AS_EMOJI)
        ):
            continue
        return at
    return None
