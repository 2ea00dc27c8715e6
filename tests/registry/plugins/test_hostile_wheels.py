"""Archives that mean harm, or that two readers would read differently: each is refused by name."""

from __future__ import annotations

import base64
import hashlib
import io
import pickle
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from dougong_registry.plugins import archive
from dougong_registry.plugins.wheel import inspect
from dougong_registry.problem import Refused

FILENAME = "acme_rms-1.0-py3-none-any.whl"
INFO = "acme_rms-1.0.dist-info"
MODULE = "acme_rms/__init__.py"
DATE = (2026, 1, 1, 0, 0, 0)


def base() -> dict[str, bytes]:
    return {
        MODULE: b"def rms(x): return x\n",
        f"{INFO}/METADATA": b"Metadata-Version: 2.4\nName: acme-rms\nVersion: 1.0\n",
        f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{INFO}/entry_points.txt": b"[dougong]\nacme-rms = acme_rms\n",
    }


def line(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f'"{name}",sha256={digest},{len(data)}'


def listed(files: dict[str, bytes]) -> bytes:
    rows = [line(name, data) for name, data in files.items() if not name.endswith("/")]
    return "\n".join([*rows, f"{INFO}/RECORD,,", ""]).encode()


def named(rest: str) -> bytes:
    """RECORD with every name and something else than a sha256."""
    return "".join(f"{name}{rest}\n" for name in [*base(), f"{INFO}/RECORD"]).encode()


def zipped(
    files: dict[str, bytes], *, change: Callable[[zipfile.ZipInfo], None] | None = None, **options
) -> bytes:
    """Write files as they are; `change` sees the entry of the module before it is written."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as made:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, DATE)
            info.compress_type = options.get("compression", zipfile.ZIP_STORED)
            if change and name == MODULE:
                change(info)
            made.writestr(info, data)
    return buffer.getvalue()


def wheel(more: dict[str, bytes] | None = None, *, record: bytes | None = None, **options) -> bytes:
    files = base() | (more or {})
    text = listed(files) if record is None else record
    return zipped({**files, f"{INFO}/RECORD": text}, **options)


def without(name: str) -> bytes:
    files = {key: value for key, value in base().items() if not key.endswith(name)}
    return zipped({**files, f"{INFO}/RECORD": listed(files)})


def twice(name: str, data: bytes) -> bytes:
    """One name, two entries."""
    buffer = io.BytesIO(wheel())
    with zipfile.ZipFile(buffer, "a") as made, pytest.warns(UserWarning, match="Duplicate"):
        made.writestr(zipfile.ZipInfo(name, DATE), data)
    return buffer.getvalue()


def patched(data: bytes, old: bytes, new: bytes, nth: int = 0) -> bytes:
    at = -1
    for _ in range(nth + 1):
        at = data.index(old, at + 1)
    return data[:at] + new + data[at + len(old) :]


def kind(mode: int) -> Callable[[zipfile.ZipInfo], None]:
    def change(info: zipfile.ZipInfo) -> None:
        info.external_attr = mode << 16

    return change


def flagged(bit: int) -> bytes:
    """Set a flag of the module in both places that describe it."""
    data = bytearray(wheel())
    flags = struct.unpack_from("<H", data, 6)[0] | bit
    struct.pack_into("<H", data, 6, flags)
    struct.pack_into("<H", data, data.index(b"PK\x01\x02") + 8, flags)
    return bytes(data)


def hidden_between() -> bytes:
    """An entry in the body that the directory does not list."""
    data = wheel()
    extra = io.BytesIO()
    with zipfile.ZipFile(extra, "w") as made:
        made.writestr(zipfile.ZipInfo("acme_rms/evil.py", DATE), b"import os\n")
    entry = extra.getvalue()[: extra.getvalue().index(b"PK\x01\x02")]
    at = data.index(b"PK\x01\x02")
    end = bytearray(data[at:])
    struct.pack_into("<L", end, len(end) - 6, at + len(entry))
    return data[:at] + entry + bytes(end)


def overlapping() -> bytes:
    """Two names in the directory, one body."""
    data = bytearray(wheel({"acme_rms/copy.py": base()[MODULE]}))
    at = data.index(b"PK\x01\x02")
    for _ in range(4):
        at = data.index(b"PK\x01\x02", at + 1)
    struct.pack_into("<L", data, at + 42, 0)
    return bytes(data)


def bomb() -> bytes:
    return wheel({"acme_rms/zeros.bin": bytes(80 << 20)}, compression=zipfile.ZIP_DEFLATED)


def second_directory() -> bytes:
    """A whole other archive in front, which readers that start at the front would take."""
    return zipped({MODULE: b"import os\n"}) + wheel()


def unicode_path(where: str) -> bytes:
    name = b"acme_rms/other.py"
    field = struct.pack("<2HBL", 0x7075, 5 + len(name), 1, zlib.crc32(MODULE.encode())) + name
    data = wheel(change=lambda info: setattr(info, "extra", field))
    if where == "both":
        return data
    # Only the entry's own header keeps it.
    at = data.index(b"PK\x01\x02")
    head = bytearray(data[at:])
    struct.pack_into("<H", head, 30, 0)
    start = 46 + len(MODULE)
    del head[start : start + len(field)]
    size = struct.unpack_from("<L", head, len(head) - 10)[0]
    struct.pack_into("<L", head, len(head) - 10, size - len(field))
    return data[:at] + bytes(head)


def nested(magic: bytes) -> dict[str, bytes]:
    return {"acme_rms/weights.bin": magic + bytes(100)}


def source(text: str) -> dict[str, bytes]:
    return {"acme_rms/code.py": text.encode()}


ONE_MORE = {"acme_rms/evil.py": b""}
TAR = bytes(257) + b"ustar\x00" + bytes(300)
NUL_NAME = patched(
    patched(wheel({"acme_rms/a_py": b"x"}), b"acme_rms/a_py", b"acme_rms/a\0py"),
    b"acme_rms/a_py",
    b"acme_rms/a\0py",
    1,
)

HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "not-a-zip": (lambda: b"not a zip", "not a readable zip"),
    "empty": (lambda: b"PK\x05\x06" + bytes(18), ".dist-info"),
    "cut-off": (lambda: wheel()[:-30], "not a readable zip"),
    "no-metadata": (lambda: without("METADATA"), "METADATA"),
    "no-entry-points": (lambda: without("entry_points.txt"), "entry-points"),
    "no-record": (lambda: zipped(base()), "RECORD"),
    "bytes-in-front": (
        lambda: b"#!/bin/sh\n" + wheel(),
        "directory does not end|belong to no file",
    ),
    "another-archive-in-front": (second_directory, "directory does not end|belong to no file"),
    "bytes-behind": (lambda: wheel() + b"tail", "bytes after its end|not a readable zip"),
    "a-comment": (lambda: patched_comment(), "comment|bytes after"),
    "an-entry-listed-nowhere": (hidden_between, "belong to no file"),
    "two-names-for-one-body": (overlapping, "belong to no file|describes"),
    "one-name-for-two-bodies": (lambda: twice(MODULE, b"import os\n"), "one place"),
    "another-name-in-its-own-header": (
        lambda: patched(wheel(), b"acme_rms/__init__.py", b"acme_rms/__evil__.py"),
        "describes",
    ),
    "another-size-in-its-own-header": (
        lambda: patched(wheel(), struct.pack("<2L", 21, 21), struct.pack("<2L", 21, 22)),
        "describes",
    ),
    "a-second-name-in-an-extra-field": (lambda: unicode_path("both"), "second name"),
    "a-second-name-in-its-own-header-only": (lambda: unicode_path("local"), "describes"),
    "fewer-files-counted-than-listed": (
        lambda: patched(wheel(), struct.pack("<2H", 5, 5), struct.pack("<2H", 4, 5)),
        "directory says|not a readable",
    ),
    "wrong-checksum": (
        lambda: patched(wheel(), b"def rms(x): return x", b"def rms(x): return y"),
        "not a readable zip|not as RECORD",
    ),
    "names-that-differ-in-case": (lambda: wheel({"acme_rms/__INIT__.py": b""}), "one place"),
    "names-that-differ-in-composition": (
        lambda: wheel({"acme_rms/\u00e9.py": b"", "acme_rms/e\u0301.py": b""}),
        "one place",
    ),
    "a-file-that-is-a-folder": (lambda: wheel({"acme_rms": b""}), "as a file and as a folder"),
    "a-folder-with-content": (lambda: wheel({"acme_rms/data/": b"x"}), "folder with content"),
    "above-its-folder": (lambda: wheel({"../evil.py": b""}), "dots"),
    "above-its-folder-later": (lambda: wheel({"acme_rms/../../evil.py": b""}), "dots"),
    "an-absolute-path": (lambda: wheel({"/etc/cron.d/evil": b""}), "outside its folder"),
    "a-path-of-windows": (lambda: wheel({"acme_rms\\..\\evil.py": b""}), "outside its folder"),
    "a-drive-of-windows": (lambda: wheel({"C:/evil.py": b""}), "outside its folder"),
    "an-empty-part": (lambda: wheel({"acme_rms//evil.py": b""}), "empty parts"),
    "a-final-dot": (lambda: wheel({"acme_rms/evil.py.": b""}), "final dot"),
    "a-nul-in-a-name": (lambda: NUL_NAME, "printable"),
    "a-control-character-in-a-name": (lambda: wheel({"acme_rms/a\x1b[2J.py": b""}), "printable"),
    "a-right-to-left-name": (lambda: wheel({"acme_rms/a\u202eyp.txt": b""}), "printable"),
    "a-name-without-end": (lambda: wheel({f"acme_rms/{'a' * 300}.py": b""}), "characters at most"),
    "a-symbolic-link": (lambda: wheel(change=kind(stat.S_IFLNK | 0o777)), "symbolic link"),
    "a-device": (lambda: wheel(change=kind(stat.S_IFCHR | 0o666)), "neither a file nor a folder"),
    "a-pipe": (lambda: wheel(change=kind(stat.S_IFIFO | 0o666)), "neither a file nor a folder"),
    "set-uid": (lambda: wheel(change=kind(stat.S_IFREG | stat.S_ISUID | 0o755)), "rights"),
    "encrypted": (lambda: flagged(0x1), "encrypted"),
    "headers-masked": (lambda: flagged(0x2000), "encrypted"),
    "lzma": (lambda: wheel(compression=zipfile.ZIP_LZMA), "stored or deflated"),
    "bzip2": (lambda: wheel(compression=zipfile.ZIP_BZIP2), "stored or deflated"),
    "a-bomb": (bomb, "zip bomb"),
    "too-many-files": (
        lambda: wheel({f"acme_rms/f{i}.py": b"" for i in range(archive.MAX_FILES)}),
        "files at most",
    ),
    "a-file-not-in-record": (
        lambda: wheel({"acme_rms/evil.py": b""}, record=listed(base())),
        "RECORD",
    ),
    "a-file-only-in-record": (
        lambda: wheel(record=listed(base() | {"acme_rms/x.py": b""})),
        "RECORD",
    ),
    "a-file-twice-in-record": (
        lambda: wheel(record=listed(base()) + line(MODULE, b"").encode() + b"\n"),
        "twice",
    ),
    "another-hash-in-record": (
        lambda: wheel(record=listed(base() | {MODULE: b"something else"})),
        "not as RECORD",
    ),
    "no-hash-in-record": (lambda: wheel(record=named(",,")), "sha256"),
    "md5-in-record": (lambda: wheel(record=named(",md5=00,1")), "sha256"),
    "runs-at-start": (lambda: wheel({"evil.pth": b"import os"}), "runs whenever|pickle"),
    "runs-at-start-by-name": (lambda: wheel({"sitecustomize.py": b""}), "runs whenever"),
    "in-place-of-torch": (lambda: wheel({"torch.py": b""}), "take the place of torch"),
    "in-torch-itself": (lambda: wheel({"torch/nn/evil.py": b""}), "take the place of torch"),
    "in-place-of-the-judge": (lambda: wheel({"dougong_ci/__init__.py": b""}), "take the place"),
    "in-place-of-a-contract": (lambda: wheel({"dougong/contracts/norm/rms.py": b""}), "take the"),
    "in-place-of-the-standard-library": (lambda: wheel({"random.py": b""}), "take the place"),
    "compiled-in-place-of-a-module": (
        lambda: wheel({"json.abi3.so": b"\x7fELF"}),
        "take the place",
    ),
    "scripts": (lambda: wheel({"acme_rms-1.0.data/scripts/pip": b"#!python"}), "nothing beside"),
    "files-beside": (lambda: wheel({"acme_rms-1.0.data/data/etc/x": b""}), "nothing beside"),
    "a-pickle-by-name": (lambda: wheel({"acme_rms/w.pkl": b"x"}), "pickle"),
    "a-checkpoint": (lambda: wheel({"acme_rms/w.ckpt": b"x"}), "pickle"),
    "a-pickle-by-content": (lambda: wheel({"acme_rms/w.bin": pickle.dumps({"a": 1})}), "pickle"),
    "an-old-pickle": (lambda: wheel({"acme_rms/w.bin": pickle.dumps({"a": 1}, 2)}), "pickle"),
    "a-zip-within": (lambda: wheel(nested(b"PK\x03\x04")), "within it"),
    "a-gzip-within": (lambda: wheel(nested(b"\x1f\x8b")), "within it"),
    "an-xz-within": (lambda: wheel(nested(b"\xfd7zXZ\x00")), "within it"),
    "a-tar-within": (
        lambda: wheel({"acme_rms/w.bin": TAR}),
        "tar",
    ),
    "text-that-turns-around": (lambda: wheel(source("x = 1  # \u202e evil \u2066")), r"U\+202E"),
    "a-name-with-no-width": (lambda: wheel(source("x\u200by = 1")), r"U\+200B"),
    "code-in-private-use": (lambda: wheel(source('eval("\ue000\ue001")')), r"U\+E000"),
    "code-in-selectors": (lambda: wheel(source("x = '" + "\ufe01" * 40 + "'")), r"U\+FE01"),
    "code-in-tags": (lambda: wheel(source("x = '" + "\U000e0041" * 40 + "'")), r"U\+E0041"),
    "a-joiner-in-a-name": (lambda: wheel(source("ad\u200dmin = 1")), r"U\+200D"),
    "latin-1": (lambda: wheel({"acme_rms/code.py": b"# caf\xe9"}), "UTF-8"),
}


def patched_comment() -> bytes:
    buffer = io.BytesIO(wheel())
    with zipfile.ZipFile(buffer, "a") as made:
        made.comment = b"hides another directory"
    return buffer.getvalue()


def inspected(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "wheel"
    path.write_bytes(data)
    inspect(path, FILENAME)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused_and_told_why(tmp_path: Path, name: str):
    make, words = HOSTILE[name]
    with pytest.raises(Refused, match=words) as refusal:
        inspected(tmp_path, make())
    assert len(refusal.value.detail) < 500


HONEST: dict[str, Callable[[], bytes]] = {
    "plain": wheel,
    "deflated": lambda: wheel(compression=zipfile.ZIP_DEFLATED),
    "with-folders": lambda: wheel({"acme_rms/sub/": b"", "acme_rms/sub/a.py": b""}),
    "modes": lambda: wheel(change=kind(stat.S_IFREG | 0o755)),
    "emoji": lambda: wheel(source("# \u26a0\ufe0f \U0001f469\u200d\U0001f4bb 斗拱 é")),
    "byte-order-mark": lambda: wheel(source("\ufeffx = 1")),
    "compiled": lambda: wheel({"acme_rms/fast.abi3.so": b"\x7fELF" + bytes(100)}),
    "weights": lambda: wheel({"acme_rms/w.safetensors": b"\x80" + bytes(7) + b"{}"}),
    "much-text": lambda: wheel(
        {"acme_rms/t.json": b"[]" * 400_000}, compression=zipfile.ZIP_DEFLATED
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_wheels_are_taken(tmp_path: Path, name: str):
    inspected(tmp_path, HONEST[name]())


def test_a_streamed_wheel_is_taken(tmp_path: Path):
    """Written to a pipe, so that sizes follow each body."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    files = base()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in {**files, f"{INFO}/RECORD": listed(files)}.items():
            made.writestr(zipfile.ZipInfo(name, DATE), data)
    inspected(tmp_path, bytes(pipe.data))


def test_one_changed_byte_anywhere_is_refused_or_means_nothing(tmp_path: Path):
    """Whatever single byte changes, no reader gets other files out of what is taken."""
    data = wheel()
    expected = base()
    for at in range(0, len(data), 7):
        changed = bytearray(data)
        changed[at] ^= 0x20
        try:
            inspected(tmp_path, bytes(changed))
        except Refused:
            continue
        with zipfile.ZipFile(io.BytesIO(bytes(changed))) as taken:
            assert {name: taken.read(name) for name in expected} == expected
