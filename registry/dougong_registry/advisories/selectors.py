"""Reading: what is revoked now, the feed, and advisories as OSV records."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from dougong_registry.advisories.models import Advisory, Revocation, SigningKey
from dougong_registry.paging import PAGE_LIMIT, Page, page_of
from dougong_registry.problem import Missing

FEED_PAGE = 1000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """Why nobody may install some bytes any more."""

    advisory: str
    reason: str

    def __str__(self) -> str:
        return f"revoked by {self.advisory}: {self.reason}"


def revoked_among(hashes: Iterable[str]) -> dict[str, Revoked]:
    """Return those of the hashes that are revoked now, each with the newest reason."""
    rows = Revocation.objects.filter(sha256__in=list(hashes)).select_related("advisory")
    standing: dict[tuple[str, str], Revocation] = {
        (row.sha256, row.advisory.number): row for row in rows.order_by("seq")
    }
    return {
        sha256: Revoked(advisory=number, reason=row.advisory.summary)
        for (sha256, number), row in standing.items()
        if row.action == "revoked"
    }


def feed(*, since: int) -> dict[str, Any]:
    """Return the lines after a sequence number, at most `FEED_PAGE`, and the last number there is.

    A reader checks each signature and that each line holds the hash of the one before.
    """
    rows = Revocation.objects.filter(seq__gt=since).order_by("seq")[:FEED_PAGE]
    head = Revocation.objects.order_by("-seq").values_list("seq", flat=True).first()
    return {
        "head": head or 0,
        "entries": [
            {"seq": row.seq, "payload": row.payload, "key_id": row.key_id}
            | {"signature": row.signature}
            for row in rows
        ],
    }


def keys() -> list[dict[str, str]]:
    """Return the public keys of this hub, oldest first."""
    return [
        {"key_id": key.key_id, "algorithm": "ed25519", "public_key": key.public_key}
        for key in SigningKey.objects.order_by("pk")
    ]


def advisories_page(
    *, plugin: str = "", limit: int = PAGE_LIMIT, cursor: str = ""
) -> Page[dict[str, Any]]:
    """Return a page of the advisories as OSV records, newest first."""
    rows = _advisories().filter(plugin__canonical=plugin) if plugin else _advisories()
    return page_of(rows, _osv, order=("-published_at", "-pk"), limit=limit, cursor=cursor)


def advisory(number: str) -> dict[str, Any]:
    """Return one advisory as an OSV record.

    Raises:
        Missing: there is no such advisory.
    """
    row = _advisories().filter(number=number).first()
    if row is None:
        raise Missing(f"no advisory {number}; GET /api/v1/advisories lists them")
    return _osv(row)


def _advisories() -> QuerySet[Advisory]:
    related = ("affected__release__artifact", "revocations")
    return Advisory.objects.select_related("plugin").prefetch_related(*related)


def _osv(row: Advisory) -> dict[str, Any]:
    releases = sorted((each.release for each in row.affected.all()), key=lambda each: each.pk)
    found: dict[str, Any] = {
        "schema_version": "1.6.0",
        "id": row.number,
        "published": row.published_at.isoformat(),
        "modified": (row.withdrawn_at or row.published_at).isoformat(),
        "summary": row.summary,
        "details": row.details,
        "affected": [
            {
                # As OSV names a repository that is not the ecosystem's own.
                "package": {
                    "ecosystem": f"PyPI:{settings.DOUGONG_HUB_URL}/simple/",
                    "name": row.plugin.canonical,
                },
                "versions": [each.version for each in releases],
                "database_specific": {"sha256": [each.artifact.sha256 for each in releases]},
            }
        ],
        "database_specific": {
            "kind": row.kind,
            "severity": row.severity,
            "revoked": bool(row.revocations.all()) and row.withdrawn_at is None,
        },
    }
    if row.withdrawn_at:
        found["withdrawn"] = row.withdrawn_at.isoformat()
        found["database_specific"]["withdrawn_reason"] = row.withdrawn_reason
    return found
