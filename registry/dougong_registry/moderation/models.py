"""Proposed and executed actions, with the rules the database holds."""

# ruff: noqa: D106 - `Meta` and the choices are words of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from dougong_registry.people.models import Identity

PROTECTIVE = ("plugin.quarantine", "runner.revoke", "run.hold")
"""Done at once by one person: whoever sees harm must be able to stop it."""
TRUSTING = ("plugin.lift", "run.release")
"""Done when a second person agrees."""


class Action(models.Model):
    """One act on one target. What trusts again has an approver who is not the proposer."""

    kind = models.CharField(max_length=32)
    target = models.CharField(max_length=128)
    """A plugin's canonical name, a runner's name, or a run's verdict id."""
    reason = models.CharField(max_length=512)
    proposer = models.ForeignKey(Identity, on_delete=models.PROTECT, related_name="proposed")
    approver = models.ForeignKey(
        Identity, on_delete=models.PROTECT, related_name="approved", null=True, blank=True
    )
    proposed_at = models.DateTimeField(default=timezone.now)
    executed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(kind__in=PROTECTIVE + TRUSTING), name="action_kind_known"
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="action_has_reason"),
            models.CheckConstraint(
                condition=models.Q(approver__isnull=True)
                | ~models.Q(approver=models.F("proposer")),
                name="action_two_people",
            ),
            models.CheckConstraint(
                condition=models.Q(executed_at__isnull=True, approver__isnull=True)
                | models.Q(executed_at__isnull=False, approver__isnull=False)
                | models.Q(executed_at__isnull=False, approver__isnull=True, kind__in=PROTECTIVE),
                name="action_trust_needs_approver",
            ),
            models.UniqueConstraint(
                fields=["kind", "target"],
                condition=models.Q(executed_at__isnull=True),
                name="action_one_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"
