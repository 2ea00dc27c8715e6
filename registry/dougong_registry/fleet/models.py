"""What a runner said of itself last."""

# ruff: noqa: D106 - `Meta` is a word of Django, explained by its manual

from __future__ import annotations

from django.db import models

from dougong_registry.runs.models import Runner


class Capability(models.Model):
    """What a runner can do, by its newest heartbeat."""

    runner = models.OneToOneField(
        Runner, on_delete=models.PROTECT, primary_key=True, related_name="capability"
    )
    hardware = models.JSONField(default=dict)
    """The hardware class of each device it judges on."""
    memory_bytes = models.PositiveBigIntegerField(default=0)
    judge_version = models.CharField(max_length=64, blank=True)
    torch_version = models.CharField(max_length=64, blank=True)
    suite_version = models.CharField(max_length=32, blank=True)
    """Last part of the names of the suites that it judges by."""
    draining = models.BooleanField(default=False)
    """It finishes what it has and takes nothing new."""
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "capabilities"

    def __str__(self) -> str:
        return f"{self.runner_id}: {', '.join(self.hardware)}"
