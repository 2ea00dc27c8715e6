"""What the machines of each kind have now, and whether a run was made by something older."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Iterable, Mapping

from django.utils import timezone
from packaging.version import InvalidVersion, Version

from dougong_registry.fleet.models import Capability

KNOWN_DAYS = 7
"""A machine counts this long after it was last heard, so that marks do not come and go with it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """The newest of each that a machine of one kind has; empty where none said."""

    torch: str = ""
    judge: str = ""
    suite: str = ""


NONE = Edition()


def editions() -> dict[str, Edition]:
    """Return what official runners have, by hardware class."""
    since = timezone.now() - dt.timedelta(days=KNOWN_DAYS)
    told = Capability.objects.filter(
        runner__official=True, runner__revoked_at__isnull=True, seen_at__gte=since
    )
    columns = ("hardware", "torch_version", "judge_version", "suite_version")
    found: dict[str, list[tuple[str, str, str]]] = {}
    for hardware, *versions in told.values_list(*columns):
        for name in hardware.values():
            found.setdefault(name, []).append((versions[0], versions[1], versions[2]))
    return {name: edition_of(each) for name, each in found.items()}


def edition_of(versions: Iterable[tuple[str, str, str]]) -> Edition:
    """Return the newest torch, judge and suite among what machines said."""
    torch, judge, suite = (max(column, key=version_key) for column in zip(*versions, strict=True))
    return Edition(torch=torch, judge=judge, suite=suite)


def is_older(version: str, than: str) -> bool:
    """Whether a version is known to be older; what cannot be read is not known to be anything.

    How a build is called (`+cpu`, `+cu128`) tells nothing of its age.
    """
    mine, theirs = version_key(version), version_key(than)
    return bool(mine and theirs) and mine < theirs


def stale_words(torch: str, judge: str, hardware_class: str, now: Mapping[str, Edition]) -> str:
    """Say by what older thing a run was made; empty where by nothing older."""
    parts = _older(torch, judge, now.get(hardware_class, NONE))
    return f"judged under {parts}" if parts else ""


def older_than_fleet(key_id: str) -> str:
    """Say what of a runner is older than others of its kind have; empty where nothing is."""
    told = Capability.objects.filter(runner__key_id=key_id).first()
    if told is None:
        return ""
    now = editions()
    kinds = (now.get(name, NONE) for name in told.hardware.values())
    return next(
        filter(None, (_older(told.torch_version, told.judge_version, e) for e in kinds)), ""
    )


def _older(torch: str, judge: str, edition: Edition) -> str:
    pairs = (("torch", torch, edition.torch), ("judge", judge, edition.judge))
    return " and ".join(
        f"{name} {mine}, where this kind of machine now has {theirs}"
        for name, mine, theirs in pairs
        if is_older(mine, theirs)
    )


@functools.lru_cache(maxsize=1024)
def version_key(version: str) -> tuple[Version, ...]:
    """Return what versions are ordered by; of what is none, what is lowest."""
    try:
        return (Version(Version(version).public),)
    except InvalidVersion:
        return ()
