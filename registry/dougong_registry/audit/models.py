"""The audit log: entries in a chain, only ever added to (`guards.rules`)."""

# ruff: noqa: D106 - `Meta` is a word of Django, explained by its manual

from __future__ import annotations

import hashlib
import json
from typing import ClassVar

from django.db import models

from dougong_registry.people.models import SHA256

FIRST_HASH = "0" * 64


class Entry(models.Model):
    """One act. Its hash covers everything in it and the hash of the entry before."""

    seq = models.PositiveBigIntegerField(unique=True)
    """1, 2, 3 without a gap."""
    at = models.DateTimeField()
    actor = models.CharField(max_length=128)
    """`local:ada`, `runner:<key id>` or `hub`."""
    verb = models.CharField(max_length=64)
    """`release.yanked`, `runner.registered`, ..."""
    target = models.CharField(max_length=256)
    """What it was done to: `acme-rms 1.0`."""
    payload = models.TextField()
    """Canonical JSON."""
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        verbose_name_plural = "entries"
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(seq__gte=1), name="audit_seq_from_one"),
            models.CheckConstraint(condition=models.Q(hash__regex=SHA256), name="audit_hash_hex"),
            models.UniqueConstraint(fields=["previous"], name="audit_no_fork"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["target", "seq"], name="audit_of_target"),
            models.Index(fields=["verb", "at"], name="audit_of_verb"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.actor} {self.verb} {self.target}"

    def digest(self) -> str:
        """Return the hash that this entry must have."""
        fields = [
            self.previous,
            self.seq,
            self.at.isoformat(timespec="microseconds"),
            self.actor,
            self.verb,
            self.target,
            self.payload,
        ]
        return hashlib.sha256(json.dumps(fields, ensure_ascii=False).encode()).hexdigest()
