"""The files of an installed distribution, hashed as they are on disk now."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

GROUP = "dougong"
# Written by the installer about this installation, not by the author of the wheel.
_INSTALLER = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def is_editable(distribution: importlib.metadata.Distribution) -> bool:
    """Whether the distribution runs from its source folder (PEP 660)."""
    return bool(_direct_url(distribution).get("dir_info", {}).get("editable"))


def wheel_sha256(distribution: importlib.metadata.Distribution) -> str:
    """Return the hash of the wheel it was installed from, as pip noted it (PEP 610), or ''."""
    archive = _direct_url(distribution).get("archive_info", {})
    return str(archive.get("hashes", {}).get("sha256", ""))


def file_hashes(distribution: importlib.metadata.Distribution) -> dict[str, str]:
    """Hash the files that the author shipped, by their path below site-packages.

    Bytecode, the installer's own notes and the start-up scripts that name this interpreter's path
    are left out, because they differ between two installations of one wheel. Of an editable
    install the files of the packages that its entry points name are hashed. A file that RECORD
    names and that is gone is left out, so that a comparison finds it missing.
    """
    paths = dict(
        _package_files(distribution) if is_editable(distribution) else _recorded(distribution)
    )
    return {name: hash_file(path) for name, path in sorted(paths.items()) if path.is_file()}


def unrecorded(
    distribution: importlib.metadata.Distribution, hashes: Mapping[str, str]
) -> Iterator[str]:
    """Find importable files that lie inside the packages of a distribution and are not its own."""
    packages = {str(PurePosixPath(name).parent) for name in hashes if name.endswith("/__init__.py")}
    for package in sorted(packages):
        folder = Path(str(distribution.locate_file(package)))
        for path in sorted(folder.glob("*")):
            if path.suffix in (".py", ".so", ".pth", ".pyd") and path.is_file():
                name = f"{package}/{path.name}"
                if name not in hashes:
                    yield name


def hash_file(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _direct_url(distribution: importlib.metadata.Distribution) -> dict[str, dict[str, Any]]:
    try:
        data = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return {}
    return {key: value for key, value in data.items() if isinstance(value, dict)}


def _recorded(distribution: importlib.metadata.Distribution) -> Iterator[tuple[str, Path]]:
    for file in distribution.files or ():
        name = file.as_posix()
        in_metadata = file.parent.suffix == ".dist-info" and file.name in _INSTALLER
        if not (in_metadata or file.suffix == ".pyc" or name.startswith("../")):
            yield name, Path(str(file.locate()))


def _package_files(distribution: importlib.metadata.Distribution) -> Iterator[tuple[str, Path]]:
    points = distribution.entry_points.select(group=GROUP)
    for top in sorted({point.module.partition(".")[0] for point in points}):
        # The spec of a top-level module is found without importing anything.
        spec = importlib.util.find_spec(top)
        if spec is None:
            continue
        if spec.submodule_search_locations is None:
            yield from _single(spec.origin)
        for folder in map(Path, spec.submodule_search_locations or ()):
            yield from _walk(folder)


def _single(origin: str | None) -> Iterable[tuple[str, Path]]:
    return [(Path(origin).name, Path(origin))] if origin else []


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        relative = path.relative_to(folder.parent)
        if path.is_file() and "__pycache__" not in relative.parts:
            yield relative.as_posix(), path
