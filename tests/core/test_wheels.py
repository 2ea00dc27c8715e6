"""A wheel is refused before pip sees it: each rule, by a file that breaks only that one."""

from __future__ import annotations

import base64
import hashlib
import re
import stat
import zipfile
from pathlib import Path

import pytest

from dougong import wheels
from dougong.errors import InstallError

INFO = "acme_rms-1.0.dist-info"
GOOD = {
    "acme_rms.py": b"def rms(x): return x\n",
    f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: acme-rms\nVersion: 1.0\n"
    b"Requires-Dist: einops>=0.8\nRequires-Dist: pytest; extra == 'test'\n",
    f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nTag: py3-none-any\n",
}


def record(files: dict[str, bytes]) -> bytes:
    rows = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}")
    return "\n".join([*rows, f"{INFO}/RECORD,,", ""]).encode()


def write(
    folder: Path,
    files: dict[str, bytes],
    *more: tuple[zipfile.ZipInfo | str, bytes],
    name: str = "acme_rms-1.0-py3-none-any.whl",
    recorded: bytes | None = None,
) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for entry, data in files.items():
            wheel.writestr(entry, data)
        wheel.writestr(f"{INFO}/RECORD", record(files) if recorded is None else recorded)
        for info, data in more:
            wheel.writestr(info, data)
    return path


def check(path: Path, **changed: object) -> None:
    data = path.read_bytes()
    said = {
        "distribution": "acme-rms",
        "version": "1.0",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
    }
    wheels.check(path, **{**said, **changed})


def test_a_good_one_is_taken(tmp_path):
    path = write(tmp_path, GOOD)
    check(path)
    assert wheels.requirements(path) == ["einops>=0.8"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"size_bytes": 3}, "bytes, the hub said 3"),
        ({"sha256": "0" * 64}, "the bytes were changed in its store or on the way"),
        ({"version": "1.1"}, "is not acme-rms 1.1"),
        ({"distribution": "torch"}, "is not torch 1.0"),
    ],
)
def test_it_must_be_what_the_hub_said(tmp_path, changed, words):
    with pytest.raises(InstallError, match=re.escape(words)):
        check(write(tmp_path, GOOD), **changed)


@pytest.mark.parametrize(
    "name", ["../evil.py", "/etc/evil.py", "a/../../evil.py", "..\\evil.py", "C:evil.py"]
)
def test_no_entry_leads_out(tmp_path, name):
    files = {**GOOD, name: b"x = 1\n"}
    with pytest.raises(InstallError, match="leads out of the folder"):
        check(write(tmp_path, files))


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("name", ["acme_rms.py", "ACME_rms.py"])
def test_no_entry_is_there_twice(tmp_path, name):
    with pytest.raises(InstallError, match="is there twice"):
        check(write(tmp_path, GOOD, (name, b"x = 1\n")))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK])
def test_no_entry_is_a_link_or_a_device(tmp_path, kind):
    info = zipfile.ZipInfo("link")
    info.external_attr = (kind | 0o777) << 16
    with pytest.raises(InstallError, match="link or a device"):
        check(write(tmp_path, GOOD, (info, b"/etc/passwd")))


def test_both_descriptions_of_an_entry_are_alike(tmp_path):
    path = write(tmp_path, GOOD)
    data = path.read_bytes()
    # The first place is the local header; the directory at the end keeps the name.
    path.write_bytes(data.replace(b"acme_rms.py", b"acme_rmz.py", 1))
    with pytest.raises(InstallError, match=re.escape("'acme_rms.py' is called 'acme_rmz.py'")):
        check(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    files = {**GOOD, "zeros.bin": b"\0" * (wheels.RATIO_FROM_BYTES + 1)}
    with pytest.raises(InstallError, match="would unpack to"):
        check(write(tmp_path, files))


@pytest.mark.parametrize(
    ("recorded", "words"),
    [
        (record({**GOOD, "acme_rms.py": b"other\n"}), "acme_rms.py is not what RECORD says"),
        (record({}), "RECORD does not list each file once"),
        (record({**GOOD, "more.py": b""}), "more.py"),
        (record(GOOD) + b"acme_rms.py,,\n", "RECORD does not list each file once"),
        (b"\xff\xfe", "is not a wheel"),
    ],
)
def test_record_lists_every_file_with_its_hash(tmp_path, recorded, words):
    with pytest.raises(InstallError, match=re.escape(words)):
        check(write(tmp_path, GOOD, recorded=recorded))


def test_what_is_no_archive_is_no_wheel(tmp_path):
    path = tmp_path / "acme_rms-1.0-py3-none-any.whl"
    path.write_bytes(b"not one")
    with pytest.raises(InstallError, match="is not a wheel"):
        check(path)
