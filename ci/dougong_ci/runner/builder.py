"""Builds one wheel inside the sandbox, with the build backends that this machine has.

The project arrives as an archive in memory and the wheel leaves as bytes in memory. Build code is
the submission's own and may do what it likes in here, this process included, so the judge believes
nothing of the answer but its bytes.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import socket
import struct
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from dougong_ci.runner import protocol
from dougong_ci.runner.keeping import as_it_is

_LEGACY = {"requires": ["setuptools"], "build-backend": "setuptools.build_meta:__legacy__"}
BUILT, FAILED = 1, 2
HEADER = struct.Struct("<BIQ")
"""What came of it, the length of the wheel's name (or of the reason), the length of the wheel."""


class Missing(Exception):  # noqa: N818 - names what is missing
    """What a build needs and this machine has not."""


def main(settings: dict[str, Any]) -> None:
    """Answer one request: a project in, a wheel or the reason why not out.

    Args:
        settings: `fd`: the judge's socket.
    """
    judge = socket.socket(fileno=settings["fd"])
    judge.sendall(protocol.OK)
    _, (project, out), _, _ = socket.recv_fds(judge, 16, 2)
    try:
        name, wheel = _built(project)
        _write(out, HEADER.pack(BUILT, len(name), len(wheel)), name, wheel)
    # Build code may raise anything, SystemExit included; it is the reason why there is no wheel.
    except BaseException as error:
        kind = "" if isinstance(error, Missing) else f"{type(error).__name__}: "
        reason = f"{kind}{error}".encode("utf-8", "replace")[:2000]
        _write(out, HEADER.pack(FAILED, len(reason), 0), reason)
    judge.sendall(protocol.OK)


def _built(project: int) -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "project"), Path(scratch, "wheel")
        target.mkdir()
        with os.fdopen(project, "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            tar.extraction_filter = as_it_is
            tar.extractall(source)  # noqa: S202 - inside the sandbox, from the judge
        os.chdir(source)
        table = tomllib.loads((source / "pyproject.toml").read_text("utf-8"))
        system = table.get("build-system", _LEGACY)
        backend = _backend(system, source)
        if hasattr(backend, "get_requires_for_build_wheel"):
            _demand(backend.get_requires_for_build_wheel({}))
        wheel = target / backend.build_wheel(str(target), {}, None)
        return wheel.name.encode(), wheel.read_bytes()


def _backend(system: dict[str, Any], source: Path) -> Any:
    _demand(system.get("requires", []))
    for folder in system.get("backend-path", []):
        sys.path.insert(0, str(source / folder))
    module, _, attribute = system.get("build-backend", _LEGACY["build-backend"]).partition(":")
    try:
        backend = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise Missing(_absent([str(error.name)])) from error
    for part in filter(None, attribute.split(".")):
        backend = getattr(backend, part)
    return backend


def _demand(requirements: list[str]) -> None:
    """Refuse a build whose needs are not installed, naming all of them."""
    from packaging.requirements import Requirement

    absent = []
    for text in requirements:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            version = ""
        if not version or not wanted.specifier.contains(version, prereleases=True):
            absent.append(text)
    if absent:
        raise Missing(_absent(absent))


def _absent(names: list[str]) -> str:
    return (
        f"the build needs {', '.join(names)}, which this machine has not, and a sandbox has no "
        "network: install it, or hand in a wheel that is built already"
    )


def _write(out: int, *pieces: bytes) -> None:
    with os.fdopen(out, "wb", closefd=False) as file:
        for piece in pieces:
            file.write(piece)
