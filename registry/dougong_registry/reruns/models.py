"""Runs that are repeated to check them."""

# ruff: noqa: D106 - `Meta` is a word of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from dougong_registry.people.models import SHA256
from dougong_registry.runs.models import Run
from dougong_registry.submissions.models import Job

CAUSES = ("sample", "first_place")
RESULTS = ("agrees", "disagrees", "incomparable", "dropped")


class Draw(models.Model):
    """The sample of one week, with all that is needed to draw it again."""

    week = models.CharField(max_length=8, unique=True)
    """ISO 8601: `2026-W48`."""
    cutoff = models.DateTimeField()
    """Runs in force at this moment were drawn from."""
    population = models.PositiveIntegerField()
    population_sha256 = models.CharField(max_length=64)
    """Of their verdict ids in order, one a line."""
    share = models.FloatField()
    seed = models.CharField(max_length=64)
    """Hash of the audit log's entry that fixed all of the above: nobody knew it before."""
    drawn_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(week__regex=r"^[0-9]{4}-W[0-9]{2}$"), name="draw_week_iso"
            ),
            models.CheckConstraint(
                condition=models.Q(population_sha256__regex=SHA256, seed__regex=SHA256),
                name="draw_hashes_hex",
            ),
            models.CheckConstraint(
                condition=models.Q(share__gt=0, share__lte=1), name="draw_share_is_share"
            ),
        ]

    def __str__(self) -> str:
        return f"sample of {self.week}"


class Rerun(models.Model):
    """One run that is, or was, judged a second time, and whether the two say the same."""

    cause = models.CharField(max_length=16)
    draw = models.ForeignKey(
        Draw, on_delete=models.PROTECT, related_name="reruns", null=True, blank=True
    )
    first = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="checked_by")
    job = models.ForeignKey(
        Job, on_delete=models.PROTECT, related_name="reruns", null=True, blank=True
    )
    """The order that the second run is waited for from; empty until there is room."""
    second = models.ForeignKey(
        Run, on_delete=models.PROTECT, related_name="checks", null=True, blank=True
    )
    result = models.CharField(max_length=16, blank=True)
    words = models.CharField(max_length=512, blank=True)
    """What they say differently, or why they were not compared."""
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(cause__in=CAUSES), name="rerun_cause_known"),
            models.CheckConstraint(
                condition=models.Q(cause="sample", draw__isnull=False)
                | models.Q(cause="first_place", draw__isnull=True),
                name="rerun_sample_has_draw",
            ),
            models.CheckConstraint(
                condition=models.Q(settled_at__isnull=True, result="")
                | models.Q(settled_at__isnull=False, result__in=RESULTS),
                name="rerun_settled_has_result",
            ),
            models.CheckConstraint(
                condition=~models.Q(result__in=("agrees", "disagrees"))
                | models.Q(second__isnull=False),
                name="rerun_compared_with_a_run",
            ),
            models.CheckConstraint(
                condition=models.Q(result__in=("", "agrees")) | ~models.Q(words=""),
                name="rerun_says_why",
            ),
            models.UniqueConstraint(
                fields=["first"],
                condition=models.Q(settled_at__isnull=True),
                name="rerun_one_open",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-created_at", "-id"], name="rerun_newest"),
            models.Index(
                fields=["job"], condition=models.Q(settled_at__isnull=True), name="rerun_open"
            ),
        ]

    def __str__(self) -> str:
        return f"rerun {self.pk} ({self.cause}, {self.result or 'open'})"
