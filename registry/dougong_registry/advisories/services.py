"""Publishing and withdrawing advisories, and the signed feed that follows from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from django.db import connection, transaction
from django.utils import timezone
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from dougong_ci.report import signing
from dougong_registry.advisories.keys import private_key
from dougong_registry.advisories.models import (
    KINDS,
    SEVERITIES,
    Advisory,
    Affected,
    Revocation,
)
from dougong_registry.advisories.selectors import revoked_among
from dougong_registry.audit.services import HUB, record
from dougong_registry.columns import hold_to_columns
from dougong_registry.contributions.releases import release_credit, release_discredit
from dougong_registry.plugins.models import Plugin, Release
from dougong_registry.problem import Conflict, Missing, Refused
from dougong_registry.turns import take_turn

FIRST = "0" * 64


@transaction.atomic
def advisory_publish(
    *,
    plugin: str,
    versions: str,
    kind: str,
    severity: str,
    summary: str,
    details: str = "",
    revoke: bool = False,
    actor: str = HUB,
) -> Advisory:
    """Say what is wrong with the releases that a version range names.

    Args:
        plugin: Name of the distribution.
        versions: A PEP 440 range, `<1.2`; `*` means every release there is.
        kind: One of `KINDS`.
        severity: One of `SEVERITIES`.
        summary: One line.
        details: As long as it takes.
        revoke: Whether clients must refuse to install and to load them.
        actor: For the audit log.

    Raises:
        Missing: no such plugin, or no release of it in the range.
        Refused: a word that is not known, or a range that cannot be read.
    """
    _hold_words(kind, severity)
    releases = _releases(plugin, versions)
    take_turn(connection, "dougong advisories")
    advisory = Advisory(
        number=_next_number(),
        plugin=releases[0].plugin,
        kind=kind,
        severity=severity,
        summary=summary,
        details=details,
    )
    hold_to_columns(advisory)
    advisory.save(force_insert=True)
    Affected.objects.bulk_create(Affected(advisory=advisory, release=each) for each in releases)
    if revoke:
        _append(advisory, releases, "revoked", summary)
        for each in releases:
            release_discredit(release=each, reason=f"revoked by {advisory.number}: {summary}")
    record(
        actor=actor,
        verb="advisory.published",
        target=f"{advisory.number} {advisory.plugin.canonical}",
        versions=[each.version for each in releases],
        kind=kind,
        severity=severity,
        revoked=revoke,
    )
    return advisory


@transaction.atomic
def advisory_withdraw(*, number: str, reason: str, actor: str = HUB) -> Advisory:
    """Take an advisory back; what it revoked is restored, unless another one revokes it too.

    Raises:
        Missing: there is no such advisory.
        Conflict: it is withdrawn already.
        Refused: no reason is given.
    """
    advisory = Advisory.objects.select_related("plugin").filter(number=number).first()
    if advisory is None:
        raise Missing(f"no advisory {number}; GET /api/v1/advisories lists them")
    if advisory.withdrawn_at:
        raise Conflict(f"{number} was withdrawn at {advisory.withdrawn_at.isoformat()}")
    if not reason:
        raise Refused("a withdrawal needs a reason, which readers of the advisory see")
    take_turn(connection, "dougong advisories")
    advisory.withdrawn_at, advisory.withdrawn_reason = timezone.now(), reason
    hold_to_columns(advisory)
    advisory.save(update_fields=["withdrawn_at", "withdrawn_reason"])
    revoked = set(advisory.revocations.values_list("sha256", flat=True))
    releases = [
        each.release
        for each in advisory.affected.select_related("release__artifact", "release__plugin")
        if each.release.artifact.sha256 in revoked
    ]
    _append(advisory, releases, "restored", reason)
    still = revoked_among(release.artifact.sha256 for release in releases)
    for release in releases:
        if release.artifact.sha256 not in still:
            release_credit(release=release, restored_by=number)
    record(
        actor=actor,
        verb="advisory.withdrawn",
        target=f"{number} {advisory.plugin.canonical}",
        reason=reason,
    )
    return advisory


def _hold_words(kind: str, severity: str) -> None:
    for word, known in ((kind, KINDS), (severity, SEVERITIES)):
        if word not in known:
            raise Refused(f"{word!r} must be one of {', '.join(known)}")


def _releases(plugin: str, versions: str) -> list[Release]:
    canonical = canonicalize_name(plugin)
    if not Plugin.objects.filter(canonical=canonical).exists():
        raise Missing(f"no plugin {canonical} is on this hub")
    try:
        wanted = SpecifierSet("" if versions == "*" else versions, prereleases=True)
    except InvalidSpecifier:
        raise Refused(f"versions must be a range like '<1.2', or '*', got {versions!r}") from None
    releases = Release.objects.filter(plugin__canonical=canonical)
    found = [
        each
        for each in releases.select_related("plugin", "artifact").order_by("pk")
        if wanted.contains(each.version)
    ]
    if not found:
        raise Missing(f"no release of {canonical} is in {versions}; its page lists them")
    return found


def _next_number() -> str:
    prefix = f"DGSA-{timezone.now().year}-"
    taken = Advisory.objects.filter(number__startswith=prefix).values_list("number", flat=True)
    last = max((int(number.removeprefix(prefix)) for number in taken), default=0)
    return f"{prefix}{last + 1:04}"


def _append(advisory: Advisory, releases: Sequence[Release], action: str, reason: str) -> None:
    private = private_key()
    last = Revocation.objects.order_by("-seq").values_list("seq", "payload_sha256").first()
    seq, previous = last or (0, FIRST)
    for release in releases:
        seq, at = seq + 1, timezone.now()
        payload = json.dumps(
            {
                "seq": seq,
                "previous": previous,
                "at": at.isoformat(),
                "action": action,
                "advisory": advisory.number,
                "distribution": release.plugin.canonical,
                "version": release.version,
                "sha256": release.artifact.sha256,
                "reason": reason,
            },
            sort_keys=True,
            separators=(",", ":"),
        )
        previous = hashlib.sha256(payload.encode()).hexdigest()
        Revocation.objects.create(
            seq=seq,
            advisory=advisory,
            sha256=release.artifact.sha256,
            action=action,
            payload=payload,
            payload_sha256=previous,
            key_id=signing.key_id(signing.public_of(private)),
            signature=signing.sign(payload.encode(), private),
            at=at,
        )
