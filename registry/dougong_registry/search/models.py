"""What lists and searches read: made from operators and runs, and made anew at any time."""

# ruff: noqa: D106 - `Meta` is a word of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models

from dougong_registry.plugins.models import FAMILIES, OperatorName


class Entry(models.Model):
    """One operator by its newest release, with what its newest telling run found."""

    operator_name = models.OneToOneField(
        OperatorName, on_delete=models.CASCADE, related_name="entry"
    )
    name = models.CharField(max_length=105, unique=True)
    family = models.CharField(max_length=16)
    contract = models.CharField(max_length=64)
    variant = models.CharField(max_length=64, blank=True)
    summary = models.CharField(max_length=512, blank=True)
    paper = models.CharField(max_length=256, blank=True)
    license = models.CharField(max_length=128, blank=True)
    distribution = models.CharField(max_length=128)
    version = models.CharField(max_length=64)
    devices = models.CharField(max_length=256, blank=True)
    """Between blanks, like dtypes: ` cpu cuda `."""
    dtypes = models.CharField(max_length=256, blank=True)
    published_at = models.DateTimeField()
    outcome = models.CharField(max_length=16, blank=True)
    code = models.CharField(max_length=64, blank=True)
    run_id = models.CharField(max_length=64, blank=True)
    best_speedup = models.FloatField(null=True, blank=True)
    name_words = models.CharField(max_length=256)
    other_words = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(family__in=FAMILIES), name="search_entry_family_known"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["family", "contract", "outcome", "devices", "dtypes"],
                name="search_entry_facets",
            ),
            models.Index(models.F("published_at").desc(), "name", name="search_entry_newest"),
        ]

    def __str__(self) -> str:
        return self.name


class Spelling(models.Model):
    """A word that occurs, by itself and by each of its one-letter deletions."""

    key = models.CharField(max_length=40)
    word = models.CharField(max_length=40)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key", "word"], name="search_spelling_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.word}"
