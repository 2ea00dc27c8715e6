"""A distribution laid out as files by the judge's own hands, however hostile its bytes are.

Wheels and folders obey the same rules: a bounded number of files and bytes, counted as they come
out; plain files and folders only; no name that leaves the folder, that another may stand for, or
that would act elsewhere than where it was judged once pip installs it.
"""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from dougong.errors import DougongError

MAX_BYTES = 512 << 20
MAX_FILES = 20_000
_MAX_DEPTH = 32
_MAX_DIRECTORY_BYTES = 8 << 20
_BLOCK = 1 << 20
_END, _END64_LOCATOR, _END_BYTES, _LOCATOR_BYTES = b"PK\x05\x06", b"PK\x06\x07", 22, 20
_HEADER_BYTES = 30
_RUNS = 0o111
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_START_HOOKS = ("sitecustomize", "usercustomize")
_SKIPPED = ("__pycache__",)


class SubmissionError(DougongError):
    """What was handed in is not a distribution that can be judged."""


class NothingLeftError(SubmissionError):
    """Of what a target registers, the request leaves nothing to judge."""


class Intake:
    """A folder being filled, and the rules for what may still come in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bytes_left = MAX_BYTES
        self._known: dict[str, str] = {}
        folder.mkdir()

    def add(self, name: str, source: IO[bytes], mode: int = 0) -> None:
        """Write one file.

        Args:
            name: Relative path with forward slashes.
            source: What to copy from, believed in nothing but what it gives.
            mode: Of the original; whether it may be run is kept, as pip keeps it.

        Raises:
            SubmissionError: a rule is broken.
        """
        parts = _checked(name)
        if len(self._known) >= MAX_FILES:
            raise SubmissionError(f"a distribution may hold {MAX_FILES} files, got more")
        # One file system's two names are another's one, and the second wins.
        key = unicodedata.normalize("NFC", "/".join(parts)).casefold()
        if key in self._known:
            raise SubmissionError(f"two files of one name: {self._known[key]!r} and {name!r}")
        self._known[key] = name
        target = self._folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as sink:
            while block := source.read(_BLOCK):
                # A header's size is the author's word; what is counted is what comes out.
                if (left := self._bytes_left - len(block)) < 0:
                    raise SubmissionError(
                        f"a distribution may unpack to {MAX_BYTES >> 20} MiB, got more"
                    )
                self._bytes_left = left
                sink.write(block)
        if mode & _RUNS:
            target.chmod(target.stat().st_mode | _RUNS)


def file_digest(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unzip(wheel: Path, folder: Path, *, only_modules: bool = False) -> None:
    """Unpack a wheel that may be hostile into a folder that does not exist yet.

    Args:
        wheel: The archive.
        folder: Made here.
        only_modules: Leave out, instead of refusing the wheel for it, what pip would put elsewhere
            (`.data`) and what acts when Python starts.

    Raises:
        SubmissionError: it is no wheel, or breaks a rule.
    """
    try:
        if wheel.stat().st_size > MAX_BYTES:
            raise SubmissionError(f"a wheel may have {MAX_BYTES >> 20} MiB, got more")
        with wheel.open("rb") as file:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                intake = Intake(folder)
                for member in _members(archive, only_modules=only_modules):
                    with archive.open(member) as source:
                        intake.add(member.filename, source, member.external_attr >> 16)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as error:
        raise SubmissionError(f"{wheel.name} is not a readable wheel: {error}") from error


def copy_tree(origin: Path, folder: Path) -> None:
    """Copy a folder that holds an unpacked wheel; compiled Python is left behind.

    Raises:
        SubmissionError: it breaks a rule.
    """
    try:
        intake = Intake(folder)
        for path in _walk(origin):
            # Checked and read by one descriptor, so that nothing can be put in its place between.
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(fd, "rb") as source:
                mode = os.fstat(fd).st_mode
                _check_plain(path.name, mode)
                intake.add(path.relative_to(origin).as_posix(), source, mode)
    except OSError as error:
        raise SubmissionError(f"{origin} cannot be read: {error}") from error


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _SKIPPED:
                yield from _walk(path)
        elif path.suffix != ".pyc":
            _check_plain(entry.name, entry.stat(follow_symlinks=False).st_mode)
            yield path


def _check_plain(name: str, mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise SubmissionError(f"links are not allowed: {name!r}")
    # Zip files made elsewhere than on Unix carry no kind at all.
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise SubmissionError(f"only plain files are allowed: {name!r}")


def _check_directory(file: IO[bytes]) -> None:
    """Refuse a table of contents too long to be read whole, as zipfile does at once."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - (1 << 16) - _END_BYTES - _LOCATOR_BYTES))
    tail = file.read()
    at = len(tail) - _END_BYTES
    if tail[at : at + 4] != _END or tail[-2:] != b"\0\0":
        at = tail.rfind(_END)
    if at < 0:
        raise zipfile.BadZipFile("it has no table of contents")
    if tail[max(0, at - _LOCATOR_BYTES) : at].startswith(_END64_LOCATOR):
        raise zipfile.BadZipFile("the 64-bit format is for archives bigger than a wheel may be")
    if int.from_bytes(tail[at + 12 : at + 16], "little") > _MAX_DIRECTORY_BYTES:
        raise SubmissionError(f"a wheel may hold {MAX_FILES} files, got more")


def _members(archive: zipfile.ZipFile, *, only_modules: bool) -> Iterator[zipfile.ZipInfo]:
    """Give the files of an archive, whose places must be apart from one another."""
    members = archive.infolist()
    if len(members) > MAX_FILES:
        raise SubmissionError(f"a wheel may hold {MAX_FILES} files, got {len(members)}")
    end = 0
    for member in sorted(members, key=lambda each: each.header_offset):
        if member.header_offset < end:
            raise SubmissionError(f"files overlap in the wheel: {member.filename!r}")
        name_bytes = len(member.orig_filename.encode())
        end = member.header_offset + _HEADER_BYTES + name_bytes + member.compress_size
        _check_plain(member.filename, member.external_attr >> 16)
        if member.compress_type not in _METHODS:
            raise SubmissionError(f"files must be stored or deflated: {member.filename!r}")
        if not (only_modules and _acts_elsewhere(member.filename)):
            _checked(member.filename)
    for member in members:
        if not member.is_dir() and not (only_modules and _acts_elsewhere(member.filename)):
            yield member


def _acts_elsewhere(name: str) -> bool:
    """Say whether a file would not lie where it was judged, or would act when Python starts."""
    first = PurePosixPath(name).parts[:1]
    return any(part.endswith(".data") or _is_start_hook(part) for part in first)


def _is_start_hook(part: str) -> bool:
    return part.endswith(".pth") or part.partition(".")[0] in _START_HOOKS


def _checked(name: str) -> tuple[str, ...]:
    """Return the parts of a safe relative path."""
    parts = PurePosixPath(name).parts
    unsafe = name.startswith("/") or ".." in parts or "\\" in name or not name.isprintable()
    if unsafe or not 0 < len(parts) <= _MAX_DEPTH:
        raise SubmissionError(f"unsafe path: {name[:200]!r}")
    if parts[0].endswith(".data"):
        raise SubmissionError(f"not judged where pip would install it: {name!r}; leave out .data")
    if _is_start_hook(parts[0]):
        raise SubmissionError(f"a plugin may not act when Python starts: {name!r}")
    return parts
