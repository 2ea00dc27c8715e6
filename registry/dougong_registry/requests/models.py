"""Allowances and kept answers, with the rules the database holds."""

# ruff: noqa: D106 - `Meta` is a word of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from dougong_registry.people.models import SHA256, Identity


class Allowance(models.Model):
    """How much of a rate somebody has used: one row a rate and sender, changed in place."""

    rate = models.CharField(max_length=32)
    sender = models.CharField(max_length=160)
    """An identity (`local:ada`) or a network address."""
    full_at = models.DateTimeField()
    """When the whole burst is there again."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rate", "sender"], name="allowance_one_each"),
        ]

    def __str__(self) -> str:
        return f"{self.rate} of {self.sender}"


class Reply(models.Model):
    """What was answered to a request with an `Idempotency-Key`; kept a day."""

    identity = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="replies")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    """sha256 of what was asked."""
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    """Empty while the request is at work."""
    body = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "replies"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["identity", "key"], name="reply_one_a_key"),
            models.CheckConstraint(
                condition=models.Q(fingerprint__regex=SHA256), name="reply_fingerprint_hex"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="reply_oldest")]

    def __str__(self) -> str:
        return f"{self.key} of {self.identity_id}"
