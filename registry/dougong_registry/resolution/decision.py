"""The decision: releases and what was measured of them in, one release and the reasons out.

Pure: no database, no clock. Newer releases come first, and each one that is passed over says why.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Speed-up over the baseline in one dtype and mode, with its 95 % interval."""

    dtype: str
    mode: str
    speedup: float
    ci_low: float
    ci_high: float
    decision: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What stands of one operator of a release on one class of hardware."""

    operator: str
    device: str
    hardware_class: str
    outcome: str
    code: str
    run_id: str
    finished_at: dt.datetime
    held_reason: str
    dtypes: tuple[str, ...]
    """Those that have a speed, and the one asked for where its accuracy was measured."""
    speeds: tuple[Speed, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One published release."""

    distribution: str
    version: str
    filename: str
    sha256: str
    size_bytes: int
    requires_python: str
    requires_torch: str
    publisher: str
    """`provider:external id`, which never changes hands."""
    publisher_login: str
    published_at: dt.datetime
    yanked_reason: str
    revoked_reason: str
    quarantined_reason: str
    devices: tuple[str, ...]
    """As its metadata declares."""
    dtypes: tuple[str, ...]
    measured: tuple[Measured, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for; an empty text leaves a question open."""

    now: dt.datetime
    version: str = ""
    device: str = ""
    dtype: str = ""
    torch: str = ""
    python: str = ""
    min_age_s: int = 0
    allow_unmeasured: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A release that was not chosen, and the first rule that it breaks."""

    version: str
    code: str
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The release chosen, or none, and why not a newer one."""

    chosen: Candidate | None
    evidence: tuple[Measured, ...]
    """What the choice rests on; empty where it rests on the declaration alone."""
    warnings: tuple[str, ...]
    passed_over: tuple[PassedOver, ...]


def decide(candidates: Sequence[Candidate], wish: Wish) -> Decision:
    """Choose the newest release that nothing speaks against.

    A version that is named is taken though it be young, yanked or a pre-release; never though it
    be revoked, quarantined, made for another Python or not measured.
    """
    passed_over: list[PassedOver] = []
    for candidate in _in_order(candidates, wish):
        if against := next(_against(candidate, wish), None):
            code, reason = against
            passed_over.append(PassedOver(version=candidate.version, code=code, reason=reason))
            continue
        return Decision(
            chosen=candidate,
            evidence=_evidence(candidate, wish),
            warnings=tuple(_warnings(candidate, wish)),
            passed_over=tuple(passed_over),
        )
    return Decision(chosen=None, evidence=(), warnings=(), passed_over=tuple(passed_over))


def _in_order(candidates: Sequence[Candidate], wish: Wish) -> list[Candidate]:
    if wish.version:
        wanted = Version(wish.version)
        return [each for each in candidates if Version(each.version) == wanted]
    newest = sorted(candidates, key=lambda each: Version(each.version), reverse=True)
    final = [each for each in newest if not Version(each.version).is_prerelease]
    # As pip does: pre-releases only where there is nothing else.
    return final or newest


def _against(candidate: Candidate, wish: Wish) -> Iterator[tuple[str, str]]:
    if candidate.revoked_reason:
        yield "revoked", candidate.revoked_reason
    if candidate.quarantined_reason:
        yield "quarantined", f"the plugin is quarantined: {candidate.quarantined_reason}"
    if not wish.version:
        if candidate.yanked_reason:
            yield "yanked", f"yanked: {candidate.yanked_reason}"
        age_s = int((wish.now - candidate.published_at).total_seconds())
        if age_s < wish.min_age_s:
            yield (
                "too_young",
                f"published {_hours(age_s)} ago, asked for {_hours(wish.min_age_s)} at least",
            )
    if reason := _outside(candidate.requires_python, wish.python, "Python"):
        yield "requires_python", reason
    if reason := _outside(candidate.requires_torch, wish.torch, "torch"):
        yield "requires_torch", reason
    if not _evidence(candidate, wish):
        yield from _unmeasured(candidate, wish)


def _unmeasured(candidate: Candidate, wish: Wish) -> Iterator[tuple[str, str]]:
    where = _where(wish)
    failed = [each for each in _relevant(candidate, wish) if each.outcome == "failed"]
    if failed:
        yield "failed", f"{failed[0].operator} failed {where}: {failed[0].code}"
    for word, wanted, declared in (
        ("device", wish.device, candidate.devices),
        ("dtype", wish.dtype, candidate.dtypes),
    ):
        if wanted and wanted not in declared:
            yield f"undeclared_{word}", f"made for {', '.join(declared) or 'none'}, not {wanted}"
    if not wish.allow_unmeasured:
        yield "unmeasured", f"declared to run {where}, and never passed there"


def _evidence(candidate: Candidate, wish: Wish) -> tuple[Measured, ...]:
    return tuple(
        each
        for each in _relevant(candidate, wish)
        if each.outcome == "passed" and not each.held_reason
    )


def _relevant(candidate: Candidate, wish: Wish) -> list[Measured]:
    return [
        each
        for each in candidate.measured
        if wish.device in ("", each.device) and (not wish.dtype or wish.dtype in each.dtypes)
    ]


def _warnings(candidate: Candidate, wish: Wish) -> Iterator[str]:
    if candidate.yanked_reason:
        yield f"{candidate.version} is yanked: {candidate.yanked_reason}"
    if not _evidence(candidate, wish):
        yield f"{candidate.version} is declared to run {_where(wish)}, and never passed there"
    for each in _relevant(candidate, wish):
        if each.outcome == "failed":
            yield f"{each.operator} failed on {each.hardware_class}: {each.code}"
        elif each.held_reason:
            yield f"{each.operator} on {each.hardware_class} is held: {each.held_reason}"


def _where(wish: Wish) -> str:
    return f"on {wish.device or 'any device'} in {wish.dtype or 'any dtype'}"


def _outside(asked: str, found: str, what: str) -> str:
    if not (asked and found):
        return ""
    try:
        inside = SpecifierSet(asked).contains(found, prereleases=True)
    except InvalidSpecifier:
        return f"asks for {what} {asked!r}, which cannot be read"
    return "" if inside else f"asks for {what} {asked}, here is {found}"


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:.1f} h"
