"""Until when a suite is in force. What a suite holds is said by the contracts and verdicts."""

# ruff: noqa: D106 - `Meta` is a word of Django, explained by its manual

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

SUITE_NAME = r"^[a-z_]+\.[a-z0-9_]+@[1-9][0-9]*/[0-9][0-9a-z.]*$"


class Retirement(models.Model):
    """The day from which a suite gives no rank any more; a date that was said stands."""

    suite = models.CharField(max_length=96, unique=True)
    """`<contract>/<suite version>`."""
    retires_on = models.DateField()
    """The first day, in UTC, on which no run under it is ranked."""
    reason = models.CharField(max_length=512)
    decided_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(suite__regex=SUITE_NAME), name="retirement_suite_spelt"
            ),
            models.CheckConstraint(condition=~models.Q(reason=""), name="retirement_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.suite} retires on {self.retires_on}"
