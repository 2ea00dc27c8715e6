"""Where else the bytes of an artifact lie. Its sha256 is the authority, never the place."""

# ruff: noqa: D106 - `Meta` is a word of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from dougong_registry.plugins.models import Artifact


class Location(models.Model):
    """One place, written once the bytes were read back from it and hashed."""

    artifact = models.ForeignKey(Artifact, on_delete=models.PROTECT, related_name="locations")
    uri = models.CharField(max_length=512, unique=True)
    """`hf://datasets/<repo>@<40-hex commit>/<path>`: a branch or tag may be moved."""
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(uri__regex=r"^hf://datasets/[^@]+@[0-9a-f]{40}/.+$"),
                name="location_pinned_by_commit",
            ),
        ]

    def __str__(self) -> str:
        return self.uri
