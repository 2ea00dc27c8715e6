"""Campaigns of judging again, and the runs that each has ordered anew so far."""

# ruff: noqa: D106 - `Meta` is a word of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from dougong_registry.runs.models import Run
from dougong_registry.submissions.models import Job

BY_ITSELF = ("torch", "judge", "suite")
"""Reasons for which the hub starts one: its machines have a newer one of these."""
REASONS = (*BY_ITSELF, "asked")
ENDS = ("finished", "stopped", "overtaken")


class Campaign(models.Model):
    """Everything in force on one kind of machine that is to be judged again for one reason."""

    reason = models.CharField(max_length=16)
    hardware_class = models.CharField(max_length=128)
    from_versions = models.CharField(max_length=512, blank=True)
    """What judged the runs that are to go, between commas."""
    to_version = models.CharField(max_length=64, blank=True)
    """What judges them now; empty where a person asked without such a reason."""
    because = models.CharField(max_length=512)
    total = models.PositiveIntegerField(default=0)
    """Runs ordered anew and runs left, when it was last looked at."""
    done = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_as = models.CharField(max_length=16, blank=True)
    ended_because = models.CharField(max_length=512, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(reason__in=REASONS), name="campaign_reason_known"
            ),
            models.CheckConstraint(condition=~models.Q(because=""), name="campaign_says_because"),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True, ended_as="")
                | models.Q(ended_at__isnull=False, ended_as__in=ENDS),
                name="campaign_end_has_kind",
            ),
            models.CheckConstraint(
                condition=models.Q(done__lte=models.F("total")), name="campaign_done_of_total"
            ),
            models.UniqueConstraint(
                fields=["reason", "hardware_class"],
                condition=models.Q(ended_at__isnull=True),
                name="campaign_one_live",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["reason", "hardware_class", "to_version"], name="campaign_by_target"
            )
        ]

    def __str__(self) -> str:
        return f"campaign {self.pk}: {self.reason} on {self.hardware_class}"


class Order(models.Model):
    """One run of a campaign that is, or was, judged again."""

    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="orders")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="orders")
    """The run that was in force."""
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="orders")
    again = models.ForeignKey(
        Run, on_delete=models.PROTECT, related_name="+", null=True, blank=True
    )
    """What came of it; empty while it is under way, and where nothing did."""
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign", "run"], name="order_once_a_campaign"),
            models.CheckConstraint(
                condition=models.Q(again__isnull=True) | models.Q(settled_at__isnull=False),
                name="order_again_is_settled",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["campaign"],
                condition=models.Q(settled_at__isnull=True),
                name="order_under_way",
            )
        ]

    def __str__(self) -> str:
        return f"order {self.pk} of campaign {self.campaign_id}"
