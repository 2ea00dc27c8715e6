"""Advisories, what they touch, and the signed feed of revocations."""

# ruff: noqa: D106 - `Meta` is a word of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from dougong_registry.people.models import SHA256
from dougong_registry.plugins.models import Plugin, Release

KINDS = ("malware", "vulnerability", "wrong_results", "other")
SEVERITIES = ("low", "medium", "high", "critical")
ACTIONS = ("revoked", "restored")


class SigningKey(models.Model):
    """A public key of this hub; the private half lies in the state folder, never here."""

    key_id = models.CharField(max_length=64, unique=True)
    public_key = models.CharField(max_length=64, unique=True)
    """Ed25519, raw 32 bytes in base64."""
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.key_id


class Advisory(models.Model):
    """What is wrong with some releases of a plugin. It is withdrawn, never deleted."""

    number = models.CharField(max_length=24, unique=True)
    """`DGSA-2026-0001`."""
    plugin = models.ForeignKey(Plugin, on_delete=models.PROTECT, related_name="advisories")
    kind = models.CharField(max_length=16)
    severity = models.CharField(max_length=16)
    summary = models.CharField(max_length=512)
    details = models.TextField(blank=True)
    published_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_reason = models.CharField(max_length=512, blank=True)

    class Meta:
        verbose_name_plural = "advisories"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(number__regex=r"^DGSA-[0-9]{4}-[0-9]{4,}$"),
                name="advisory_number_spelt",
            ),
            models.CheckConstraint(condition=models.Q(kind__in=KINDS), name="advisory_kind_known"),
            models.CheckConstraint(
                condition=models.Q(severity__in=SEVERITIES), name="advisory_severity_known"
            ),
            models.CheckConstraint(condition=~models.Q(summary=""), name="advisory_says_what"),
            models.CheckConstraint(
                condition=models.Q(withdrawn_at__isnull=True) | ~models.Q(withdrawn_reason=""),
                name="advisory_withdrawal_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class Affected(models.Model):
    """One release that an advisory is about."""

    advisory = models.ForeignKey(Advisory, on_delete=models.PROTECT, related_name="affected")
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="advisories")

    class Meta:
        verbose_name_plural = "affected"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["advisory", "release"], name="affected_unique")
        ]

    def __str__(self) -> str:
        return f"{self.advisory_id} {self.release_id}"


class Revocation(models.Model):
    """One line of the feed, exactly as it was signed; each holds the hash of the one before."""

    seq = models.PositiveBigIntegerField(unique=True)
    """1, 2, 3 without a gap."""
    advisory = models.ForeignKey(Advisory, on_delete=models.PROTECT, related_name="revocations")
    sha256 = models.CharField(max_length=64, db_index=True)
    action = models.CharField(max_length=16)
    payload = models.TextField()
    payload_sha256 = models.CharField(max_length=64, unique=True)
    key_id = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(seq__gte=1), name="revocation_seq_from_one"),
            models.CheckConstraint(
                condition=models.Q(sha256__regex=SHA256), name="revocation_sha256_hex"
            ),
            models.CheckConstraint(
                condition=models.Q(action__in=ACTIONS), name="revocation_action_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.action} {self.sha256[:12]}"
