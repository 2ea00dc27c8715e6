"""What is judged, as a folder the sandbox can see: unpacked safely and named by its bytes."""

from __future__ import annotations

import contextlib
import dataclasses
import email.parser
import hashlib
import importlib.metadata
import json
import re
import tempfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from dougong_ci.judge import dependencies
from dougong_ci.judge.request import JudgeRequest
from dougong_ci.judge.unpacking import SubmissionError, copy_tree, file_digest, unzip

_MAX_METADATA_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,98}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A distribution ready to be mounted."""

    distribution: str
    version: str
    sha256: str
    """Of the wheel; of names and bytes of all files where there was no wheel."""
    folder: Path | None = None
    """Mounted and put on the module path; None where it is installed in site-packages."""
    extra: tuple[Path, ...] = ()
    """Module folders of an editable install, or of the wheels it lists as needed."""


@contextlib.contextmanager
def opened(request: JudgeRequest) -> Iterator[list[Source]]:
    """Give the sources of a request, unpacked into a private folder that goes away afterwards.

    What a wheel lists as needed is unpacked beside it; see `dougong_ci.judge.dependencies`.

    Raises:
        SubmissionError: not a wheel, unsafe, not the distribution it should be, or what it needs is
            not to be had.
    """
    if request.path is None:
        yield installed(request.installed)
        return
    with tempfile.TemporaryDirectory(prefix="dougong-judge-") as scratch:
        Path(scratch).chmod(0o711)
        folder = Path(scratch) / "submission"
        if request.path.is_dir():
            copy_tree(request.path, folder)
            sha256 = tree_digest(folder)
        else:
            sha256 = file_digest(request.path)
            unzip(request.path, folder)
        _make_readable(folder)
        name, version = identity(folder)
        for what, asked, found in (
            ("distribution", request.distribution, name),
            ("version", request.version, version),
        ):
            if asked and _normal(asked) != _normal(found):
                raise SubmissionError(f"{what} must be {asked}, the wheel says {found}")
        needed = dependencies.laid_out(folder, Path(scratch) / "dependencies")
        for each in needed:
            _make_readable(each)
        yield [
            Source(
                distribution=request.distribution or name,
                version=version,
                sha256=sha256,
                folder=folder,
                extra=needed,
            )
        ]


def identity(folder: Path) -> tuple[str, str]:
    """Return name and version from the one METADATA of an unpacked wheel."""
    found = sorted(folder.glob("*.dist-info/METADATA"))
    if len(found) != 1:
        raise SubmissionError(f"there must be one .dist-info/METADATA, found {len(found)}")
    with found[0].open("rb") as file:
        text = file.read(_MAX_METADATA_BYTES + 1)
    if len(text) > _MAX_METADATA_BYTES:
        raise SubmissionError(f"METADATA may have {_MAX_METADATA_BYTES >> 20} MiB, got more")
    headers = email.parser.HeaderParser().parsestr(text.decode("utf-8", "replace"))
    name, version = str(headers.get("Name", "")), str(headers.get("Version", ""))
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise SubmissionError(
            f"METADATA must give Name and Version, got {name[:100]!r} and {version[:100]!r}"
        )
    return name, version


def installed(names: tuple[str, ...]) -> list[Source]:
    """Return the installed distributions that names may mean, without importing any.

    Which distribution has an operator is known only after discovery, so an operator's name keeps
    all of them.

    Raises:
        SubmissionError: a name is neither an operator's nor a distribution's nor a plugin's.
    """
    found: dict[str, tuple[importlib.metadata.Distribution, set[str]]] = {}
    for distribution in importlib.metadata.distributions():
        text = distribution.read_text("entry_points.txt") or ""
        if "[dougong]" not in text:
            continue
        points = {point.name for point in distribution.entry_points.select(group="dougong")}
        found.setdefault(_normal(distribution.name), (distribution, points))
    if not found:
        raise SubmissionError("no installed distribution registers operators")
    if any("/" in name for name in names):
        return [_installed(distribution) for distribution, _ in found.values()]
    wanted: dict[str, importlib.metadata.Distribution] = {}
    for asked in names:
        known = {
            name: distribution
            for name, (distribution, points) in found.items()
            if _normal(asked) == name or _normal(asked) in {_normal(point) for point in points}
        }
        if not known:
            raise SubmissionError(
                f"{asked} is no wheel, folder, installed operator (provider/name) or plugin; "
                f"plugins installed: {', '.join(sorted(found))}"
            )
        wanted |= known
    return [_installed(distribution) for distribution in wanted.values()]


def _installed(distribution: importlib.metadata.Distribution) -> Source:
    extra: tuple[Path, ...] = ()
    digest = hashlib.sha256()
    direct = json.loads(distribution.read_text("direct_url.json") or "{}")
    if direct.get("dir_info", {}).get("editable"):
        root = Path(urllib.parse.unquote(urllib.parse.urlparse(direct["url"]).path))
        extra = tuple(_editable_roots(distribution, root))
        for folder in extra:
            _digest_tree(digest, folder)
    else:
        for file in sorted(distribution.files or [], key=str):
            path = Path(str(file.locate()))
            if path.suffix != ".pyc" and path.is_file():
                digest.update(f"{file}\0".encode() + path.read_bytes())
    return Source(
        distribution=distribution.name,
        version=distribution.version,
        sha256=digest.hexdigest(),
        extra=extra,
    )


def _editable_roots(distribution: importlib.metadata.Distribution, root: Path) -> Iterator[Path]:
    """Give the module folders that an editable install puts on the path by its .pth file."""
    paths = [Path(str(f.locate())) for f in distribution.files or [] if str(f).endswith(".pth")]
    lines = [line.strip() for path in paths for line in path.read_text("utf-8").splitlines()]
    folders = [Path(line) for line in lines if line and not line.startswith(("import ", "#"))]
    yield from (folder for folder in folders if folder.is_dir()) if folders else (root,)


def tree_digest(folder: Path) -> str:
    """Return the sha256 over names and bytes of every file in a folder."""
    digest = hashlib.sha256()
    _digest_tree(digest, folder)
    return digest.hexdigest()


def _digest_tree(digest: hashlib._Hash, folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode() + path.read_bytes())


def _make_readable(folder: Path) -> None:
    """Let the sandbox's own user read what a strict umask would keep from it."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        runs = path.is_dir() or path.stat().st_mode & 0o111
        path.chmod(0o755 if runs else 0o644)


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


__all__ = ["Source", "SubmissionError", "file_digest", "installed", "opened", "tree_digest"]
