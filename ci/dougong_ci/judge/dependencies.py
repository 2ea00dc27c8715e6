"""What a distribution needs besides torch, for the sandbox: wheels by name, version and hash.

A wheel may carry a list, `*.dist-info/extra_metadata/dependencies.txt`, one wheel a line:

    einops==0.8.2 --hash=sha256:...

The list is a stranger's and is believed in nothing: it is read here, line by line, and pip is given
what was understood and no more, so that no option, address or path of a stranger's reaches it. pip
only downloads, wheels only, and so runs nothing. Every wheel is hashed again before each use and
unpacked under the rules of submissions; what is in it runs in the sandbox, where it comes last on
the module path and takes the place of nothing that the judge runs.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import re
import tempfile
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from dougong import pip
from dougong.home import state_folder
from dougong_ci.judge.unpacking import SubmissionError, file_digest, unzip

PLACE = "*.dist-info/extra_metadata/dependencies.txt"
MOST = 64
_MAX_LIST_BYTES = 64 << 10
_MAX_BYTES = 2 << 30
_DOWNLOAD_S = 600.0
_LINE = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?)"
    r"==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]{0,98})"
    r"(?P<hashes>(?: --hash=sha256:[0-9a-f]{64}){1,32})"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Pin:
    """One wheel: any file of this name and version with one of these hashes."""

    name: str
    version: str
    sha256: tuple[str, ...]

    def __str__(self) -> str:
        hashes = "".join(f" --hash=sha256:{each}" for each in self.sha256)
        return f"{self.name}=={self.version}{hashes}"


def laid_out(distribution: Path, target: Path, store: Path | None = None) -> tuple[Path, ...]:
    """Unpack what a distribution lists, each wheel into a folder of its own, and return those.

    What is installed beside the judge in the version listed is used from there.

    Args:
        distribution: Folder of an unpacked wheel.
        target: Folder to unpack into; made where there is something to unpack.
        store: Where downloaded wheels are kept; by default in the state folder.

    Raises:
        SubmissionError: the list breaks a rule, contradicts what is installed here, or a wheel of
            it is not to be had.
    """
    pins = [pin for pin in listed(distribution) if not _installed(pin)]
    store = store or state_folder() / "dependencies"
    folders: list[Path] = []
    left = _MAX_BYTES
    for pin, wheel in zip(pins, _stored(pins, store), strict=True):
        target.mkdir(exist_ok=True)
        folder = target / canonicalize_name(pin.name)
        # Scripts and the like only mean something installed; the path files of start-up, nothing.
        unzip(wheel, folder, only_modules=True)
        left -= sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if left < 0:
            raise SubmissionError(
                f"what it needs may unpack to {_MAX_BYTES >> 30} GiB together, got more"
            )
        folders.append(folder)
    return tuple(folders)


def listed(distribution: Path) -> list[Pin]:
    """Return what the wheel in a folder lists; nothing where it has no list.

    Raises:
        SubmissionError: the list breaks a rule.
    """
    found = sorted(distribution.glob(PLACE))
    if not found:
        return []
    with found[0].open("rb") as file:
        raw = file.read(_MAX_LIST_BYTES + 1)
    if len(raw) > _MAX_LIST_BYTES:
        raise SubmissionError(f"dependencies.txt may have {_MAX_LIST_BYTES >> 10} KiB, got more")
    return parse(raw.decode("utf-8", "replace"))


def parse(text: str) -> list[Pin]:
    """Read a list of dependencies.

    Raises:
        SubmissionError: a line is no pin, a name comes twice, or there are too many.
    """
    pins: dict[str, Pin] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if not (match := _LINE.fullmatch(line.rstrip())):
            raise SubmissionError(
                f"dependencies.txt, line {number}: must be name==version --hash=sha256:..., "
                f"got {line[:100]!r}"
            )
        hashes = tuple(part.removeprefix("--hash=sha256:") for part in match["hashes"].split())
        name = canonicalize_name(match["name"])
        if name in pins:
            raise SubmissionError(f"dependencies.txt, line {number}: {name} is there already")
        pins[name] = Pin(match["name"], match["version"], hashes)
    if len(pins) > MOST:
        raise SubmissionError(f"dependencies.txt may list {MOST} wheels, got {len(pins)}")
    return list(pins.values())


def _installed(pin: Pin) -> bool:
    """Say whether the judge has it; another version of it would be judged in its place."""
    try:
        here = importlib.metadata.version(pin.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    if not _same_version(here, pin.version):
        raise SubmissionError(
            f"it needs {pin.name}=={pin.version} and beside the judge {here} is installed; "
            "judge it where that is absent, or list that version"
        )
    return True


def _stored(pins: list[Pin], store: Path) -> list[Path]:
    """Return a wheel of each pin, hashed at this moment; what is missing is downloaded."""
    missing = [pin for pin in pins if _kept(pin, store) is None]
    if missing:
        store.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(prefix="incoming-", dir=store) as folder:
            _download(missing, Path(folder))
            for pin in missing:
                _keep(pin, Path(folder), store)
    found = []
    for pin in pins:
        wheel = _kept(pin, store)
        if wheel is None:
            raise SubmissionError(f"the wheel of {pin.name}=={pin.version} went away while judged")
        found.append(wheel)
    return found


def _kept(pin: Pin, store: Path) -> Path | None:
    for sha256 in pin.sha256:
        wheel = store / f"{sha256}.whl"
        if wheel.is_file() and file_digest(wheel) == sha256:
            return wheel
    return None


def _keep(pin: Pin, folder: Path, store: Path) -> None:
    """Move the one wheel of a pin from the download into the store, under the name of its hash."""
    for wheel in folder.glob("*.whl"):
        name, version, _, _ = parse_wheel_filename(wheel.name)
        if name == canonicalize_name(pin.name) and _same_version(str(version), pin.version):
            sha256 = file_digest(wheel)
            if sha256 not in pin.sha256:
                raise SubmissionError(f"{wheel.name} must have a hash that is listed, got {sha256}")
            wheel.replace(store / f"{sha256}.whl")
            return
    raise SubmissionError(f"no wheel of {pin.name}=={pin.version} for this machine was found")


def _download(pins: list[Pin], folder: Path) -> None:
    try:
        pip.download_exactly(list(map(str, pins)), folder, timeout_s=_DOWNLOAD_S)
    except pip.PipError as error:
        raise SubmissionError(f"what it needs cannot be fetched: {error}") from error


def _same_version(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other
