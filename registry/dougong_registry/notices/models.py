"""Notices: what became worse, on which board, between which runs."""

# ruff: noqa: D106 - `Meta` and the choices are words of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from dougong_registry.people.models import Identity
from dougong_registry.plugins.models import OperatorName, Plugin
from dougong_registry.runs.models import MODES, Run

STATES = ("open", "acknowledged", "closed")


class Notice(models.Model):
    """One operator that became worse on one board, from when it was seen until it is as before."""

    plugin = models.ForeignKey(Plugin, on_delete=models.PROTECT, related_name="notices")
    operator_name = models.ForeignKey(
        OperatorName, on_delete=models.PROTECT, related_name="notices"
    )
    suite = models.CharField(max_length=96)
    device = models.CharField(max_length=32)
    hardware_class = models.CharField(max_length=128)
    dtype = models.CharField(max_length=16, blank=True)
    mode = models.CharField(max_length=8, blank=True)
    """Both empty where it no longer passes at all."""
    from_run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+")
    """The run that was better: what a later one is held against."""
    to_run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+")
    words = models.CharField(max_length=512)
    """By how much."""
    state = models.CharField(max_length=16, default="open")
    opened_at = models.DateTimeField(default=timezone.now)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        Identity, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    closing_run = models.ForeignKey(
        Run, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    """The run that is as good as before again."""

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(state__in=STATES), name="notice_state_known"),
            models.CheckConstraint(
                condition=models.Q(mode__in=("", *MODES)), name="notice_mode_known"
            ),
            models.CheckConstraint(condition=~models.Q(words=""), name="notice_says_how_much"),
            models.CheckConstraint(
                condition=~models.Q(from_run=models.F("to_run")), name="notice_of_two_runs"
            ),
            models.CheckConstraint(
                condition=models.Q(acknowledged_at__isnull=True, acknowledged_by__isnull=True)
                | models.Q(acknowledged_at__isnull=False, acknowledged_by__isnull=False),
                name="notice_acknowledged_by_somebody",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="acknowledged") | models.Q(acknowledged_at__isnull=False),
                name="notice_acknowledged_has_time",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state="closed", closed_at__isnull=False, closing_run__isnull=False
                )
                | (
                    ~models.Q(state="closed")
                    & models.Q(closed_at__isnull=True, closing_run__isnull=True)
                ),
                name="notice_closed_by_a_run",
            ),
            models.UniqueConstraint(
                fields=["operator_name", "suite", "device", "hardware_class", "dtype", "mode"],
                condition=models.Q(closed_at__isnull=True),
                name="notice_one_open",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "-opened_at", "-id"], name="notice_by_state"),
            models.Index(fields=["plugin", "-opened_at"], name="notice_of_plugin"),
        ]

    def __str__(self) -> str:
        return f"notice {self.pk} ({self.state}): {self.words}"
