"""Wheels and folders that would get out, or blow up, when a careless judge unpacks them."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

INFO = "evil-1.0.dist-info/METADATA"
METADATA = "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n"

Maker = Callable[[Path], Path]


def wheel(folder: Path, files: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "evil-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in {INFO: METADATA, **files}.items():
            archive.writestr(name, data)
    return path


def special(folder: Path, mode: int, data: str = "/etc/passwd") -> Path:
    path = wheel(folder, {})
    with zipfile.ZipFile(path, "a") as archive:
        member = zipfile.ZipInfo("odd")
        member.external_attr = (mode | 0o777) << 16
        archive.writestr(member, data)
    return path


def overlapping(folder: Path) -> Path:
    """Let every entry of the table of contents point at the same compressed bytes."""
    path = wheel(folder, {f"f{i:03}": b"\0" * (1 << 18) for i in range(50)})
    data = bytearray(path.read_bytes())
    at = first = data.index(b"PK\x01\x02")
    offset = struct.unpack_from("<I", data, data.index(b"f000", first) - 4)[0]
    while data[at : at + 4] == b"PK\x01\x02":
        name, extra, comment = struct.unpack_from("<3H", data, at + 28)
        if data[at + 46 : at + 47] == b"f":
            struct.pack_into("<I", data, at + 42, offset)
        at += 46 + name + extra + comment
    path.write_bytes(bytes(data))
    return path


def lying(folder: Path) -> Path:
    """Hold 40 MiB of zeros in 40 KiB, and say in the headers that they are one byte."""
    path = wheel(folder, {"zeros": b"\0" * (40 << 20)})
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 40 << 20), struct.pack("<I", 1)))
    return path


def endless_table(folder: Path) -> Path:
    """Say that the table of contents is hundreds of megabytes long."""
    path = wheel(folder, {"evil.py": ""})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, len(data) - 10, 400 << 20)
    path.write_bytes(bytes(data))
    return path


def tree(folder: Path, make: Callable[[Path], object], metadata: str | None = METADATA) -> Path:
    root = folder / "evil"
    (root / INFO).parent.mkdir(parents=True)
    if metadata is not None:
        (root / INFO).write_text(metadata)
    make(root)
    return root


WHEELS: dict[str, Maker] = {
    "path upwards": lambda f: wheel(f, {"../out": "x"}),
    "absolute path": lambda f: wheel(f, {"/etc/out": "x"}),
    "backslashes": lambda f: wheel(f, {"a\\..\\out": "x"}),
    "control characters": lambda f: wheel(f, {"a\x1b[2Jb": "x"}),
    "very deep path": lambda f: wheel(f, {"d/" * 2000 + "x": "x"}),
    "very long name": lambda f: wheel(f, {"n" * 5000: "x"}),
    "symbolic link": lambda f: special(f, stat.S_IFLNK),
    "pipe": lambda f: special(f, stat.S_IFIFO),
    "device": lambda f: special(f, stat.S_IFBLK),
    "one name twice": lambda f: twice(f, INFO),
    "names by case": lambda f: wheel(f, {"a/b.py": "1", "A/B.py": "2"}),
    "file and folder": lambda f: wheel(f, {"a": "1", "a/b": "2"}),
    "overlapping entries": overlapping,
    "bomb by ratio": lying,
    "bomb by files": lambda f: wheel(f, {f"d{i}": "" for i in range(20_001)}),
    "bomb by table": endless_table,
    "huge dictionary": lambda f: wheel(f, {"x": "x"}, zipfile.ZIP_LZMA),
    "no zip": lambda f: written(f / "evil.whl", b"PK" * 1000),
    "cut off": lambda f: written(f / "cut.whl", wheel(f, {"x": "x" * 999}).read_bytes()[:200]),
    "start hook": lambda f: wheel(f, {"evil.pth": "import os; os.system('id')"}),
    "site module": lambda f: wheel(f, {"sitecustomize.py": "x"}),
    "lands elsewhere": lambda f: wheel(f, {"evil-1.0.data/purelib/torch/__init__.py": ""}),
    "huge METADATA": lambda f: wheel(f, {INFO: METADATA + "X" * (8 << 20)}),
    "evil name": lambda f: wheel(f, {INFO: METADATA.replace("evil", "../evil\x1b[2J")}),
    "two METADATA": lambda f: wheel(f, {"other-1.dist-info/METADATA": METADATA}),
    "folder: link to a file": lambda f: tree(f, lambda r: (r / "l").symlink_to("/etc/shadow")),
    "folder: link to a folder": lambda f: tree(f, lambda r: (r / "l").symlink_to("/")),
    "folder: METADATA is a link": lambda f: tree(
        f, lambda r: (r / INFO).symlink_to("/dev/zero"), None
    ),
    "folder: pipe": lambda f: tree(f, lambda r: os.mkfifo(r / "pipe")),
}


def twice(folder: Path, name: str) -> Path:
    path = wheel(folder, {"evil.py": "x = 1"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.NameToInfo.clear()  # its own check, which only warns
        archive.writestr(name, METADATA)
    return path


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def made(folder: Path) -> Iterator[tuple[str, Path]]:
    """Make each in a folder of its own."""
    for number, (title, make) in enumerate(WHEELS.items()):
        place = folder / str(number)
        place.mkdir()
        yield title, make(place)
