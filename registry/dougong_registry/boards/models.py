"""Places on the boards: made from runs when they are recorded, and made anew at any time."""

# ruff: noqa: D106 - `Meta` is a word of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from dougong_registry.plugins.models import OperatorName

KINDS = ("ranked", "rejected", "inconclusive", "held", "coverage", "unmeasured", "unofficial")
_KEY = ("contract", "suite", "hardware_class", "dtype", "mode")


class Keyed(models.Model):
    """Which board: a suite on a machine, in one dtype and mode."""

    contract = models.CharField(max_length=64)
    suite = models.CharField(max_length=96)
    hardware_class = models.CharField(max_length=128)
    dtype = models.CharField(max_length=16)
    mode = models.CharField(max_length=8)

    class Meta:
        abstract = True


class Place(Keyed):
    """One operator on one board, ranked or with the reason why not."""

    operator_name = models.ForeignKey(OperatorName, on_delete=models.CASCADE, related_name="places")
    kind = models.CharField(max_length=16)
    reason = models.CharField(max_length=1024, blank=True)
    operator = models.CharField(max_length=105)
    variant = models.CharField(max_length=64, blank=True)
    summary = models.CharField(max_length=512, blank=True)
    distribution = models.CharField(max_length=128)
    version = models.CharField(max_length=64)
    outcome = models.CharField(max_length=16)
    code = models.CharField(max_length=64)
    run_id = models.CharField(max_length=64)
    torch_version = models.CharField(max_length=64, blank=True)
    judge_version = models.CharField(max_length=64, blank=True)
    confirmed = models.BooleanField(default=False)
    """A second run of this release on this kind of machine agreed with a first."""
    judged_at = models.DateTimeField()
    speedup = models.FloatField(null=True)
    ci_low = models.FloatField(null=True)
    ci_high = models.FloatField(null=True)
    decision = models.CharField(max_length=16, blank=True)
    restarts = models.PositiveIntegerField(default=0)
    coverage = models.FloatField(null=True)
    relative_l2 = models.FloatField(null=True)
    error_share = models.FloatField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run_id", "dtype", "mode"], name="place_unique"),
            models.CheckConstraint(condition=models.Q(kind__in=KINDS), name="place_kind_known"),
            models.CheckConstraint(
                condition=~models.Q(kind="ranked") | models.Q(speedup__isnull=False),
                name="place_ranked_has_speedup",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                *_KEY,
                models.F("speedup").desc(),
                "ci_low",
                "id",
                condition=models.Q(kind="ranked"),
                name="place_ranked",
            ),
            models.Index(
                fields=[*_KEY, "operator"],
                condition=~models.Q(kind="ranked"),
                name="place_unranked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operator} ({self.kind})"


class Heading(Keyed):
    """One board: how many are on it, and who leads."""

    ranked = models.PositiveIntegerField()
    unranked = models.PositiveIntegerField()
    measured = models.PositiveIntegerField()
    """Places with a speed-up, ranked or not."""
    leader = models.CharField(max_length=105, blank=True)
    leader_run_id = models.CharField(max_length=64, blank=True)
    leader_confirmed = models.BooleanField(default=False)
    leader_speedup = models.FloatField(null=True)
    leader_ci_low = models.FloatField(null=True)
    leader_ci_high = models.FloatField(null=True)
    changed_at = models.DateTimeField(default=timezone.now)
    """When a place of it was last made anew."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=list(_KEY), name="heading_unique"),
            models.CheckConstraint(
                condition=models.Q(ranked=0) | models.Q(leader_speedup__isnull=False),
                name="heading_led_if_ranked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.suite} {self.hardware_class} {self.dtype} {self.mode}"
