"""What a hub would install here: its choice, what speaks for it, and why not a newer release."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from packaging.version import InvalidVersion, Version

from dougong.errors import HubError, InstallError

if TYPE_CHECKING:
    from dougong.hub import Hub

MIN_AGE_H = 72.0
"""A release is left to others for so long, unless its version is named."""
_OPERATOR = r"[a-z0-9][a-z0-9_.-]*/[a-z0-9][a-z0-9_.-]*"
_NAME = re.compile(rf"({_OPERATOR}|[A-Za-z0-9][A-Za-z0-9._-]*)(?:==(\S+))?")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to install, and what for; an empty text leaves a question open."""

    name: str
    version: str = ""
    device: str = ""
    dtype: str = ""
    min_age_h: float = MIN_AGE_H
    allow_unmeasured: bool = False

    @classmethod
    def parse(cls, text: str, **more: Any) -> Self:
        """Read `NAME` or `NAME==VERSION`, the name being a distribution or `provider/name`.

        Raises:
            InstallError: the text is neither.
        """
        match = _NAME.fullmatch(text)
        try:
            if match and match[2]:
                Version(match[2])
        except InvalidVersion:
            match = None
        if match is None:
            raise InstallError(
                f"{text!r} is neither NAME nor NAME==VERSION, of a distribution or provider/name"
            )
        return cls(name=match[1], version=match[2] or "", **more)


@dataclasses.dataclass(frozen=True, slots=True)
class Release:
    """The release that was chosen."""

    distribution: str
    version: str
    filename: str
    url: str
    """A path on the hub that was asked, never elsewhere."""
    sha256: str
    size_bytes: int
    published_at: str
    publisher: str
    """`provider:external id`."""
    publisher_login: str


@dataclasses.dataclass(frozen=True, slots=True)
class Resolution:
    """The answer of a hub."""

    release: Release | None
    measured: bool
    evidence: tuple[Mapping[str, Any], ...]
    """Runs that passed, nearest hardware first; see `GET /api/v1/resolve`."""
    warnings: tuple[str, ...]
    passed_over: tuple[Mapping[str, str], ...]


def resolve(hub: Hub, wanted: Wanted) -> Resolution:
    """Ask a hub which release suits this machine.

    Raises:
        HubError: there is no such name or version, or the answer is not one.
    """
    from dougong.hardware import nearness

    asked = {
        "name": wanted.name,
        "version": wanted.version,
        "device": wanted.device or _only_device(),
        "dtype": wanted.dtype,
        "torch": _torch_version(),
        "python": platform.python_version(),
        "min_age_s": round(wanted.min_age_h * 3600),
        "allow_unmeasured": wanted.allow_unmeasured,
    }
    answer = hub.get("resolve", **{name: value for name, value in asked.items() if value})
    try:
        evidence = sorted(answer["evidence"], key=lambda row: -nearness(row["hardware_class"]))
        return Resolution(
            release=_release(answer["release"]),
            measured=bool(answer["measured"]),
            evidence=tuple(evidence),
            warnings=tuple(map(str, answer["warnings"])),
            passed_over=tuple(answer["passed_over"]),
        )
    except (KeyError, TypeError) as error:
        raise HubError(f"the hub's answer lacks a field: {error}") from error


def chosen(resolution: Resolution, name: str) -> Release:
    """Return the release of an answer.

    Raises:
        InstallError: none suits; says why, release by release, and the way out.
    """
    if resolution.release is not None:
        return resolution.release
    reasons = "; ".join(f"{row['version']}: {row['reason']}" for row in resolution.passed_over)
    codes = {row["code"] for row in resolution.passed_over}
    ways = [
        way
        for code, way in (
            ("too_young", f"--min-age 0 or {name}==VERSION takes a young one"),
            ("yanked", f"{name}==VERSION takes a yanked one"),
            ("unmeasured", "--allow-unmeasured takes what is only declared"),
        )
        if code in codes
    ]
    raise InstallError(f"no release of {name} suits: {'; '.join([reasons, *ways])}")


def _release(data: Mapping[str, Any] | None) -> Release | None:
    if data is None:
        return None
    return Release(**{field.name: data[field.name] for field in dataclasses.fields(Release)})


def _only_device() -> str:
    """Return `cpu` where there is no accelerator; otherwise any device will do."""
    from dougong.catalogue.machine import device_absent

    return "cpu" if device_absent("cuda") else ""


def _torch_version() -> str:
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""
