"""Rates: a burst at once, then one every so often. Counted in the database, for all processes."""

from __future__ import annotations

import datetime as dt
import math
from typing import ClassVar

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from dougong_registry.problem import Problem
from dougong_registry.requests.models import Allowance


class TooOften(Problem):
    """Over a rate; `wait_s` says when to come back."""

    status: ClassVar[int] = 429
    title = "Too often"
    slug = "too-often"

    def __init__(self, detail: str, wait_s: int) -> None:
        super().__init__(detail)
        self.wait_s = wait_s


def rate_take(*, rate: str, sender: str) -> None:
    """Use one of what a sender may do; in a transaction that fails, nothing is used.

    Args:
        rate: A name in `settings.RATES`, which gives (seconds for one more, burst).
        sender: Whose allowance it is.

    Raises:
        TooOften: there is none left.
    """
    every_s, burst = settings.RATES[rate]
    if not every_s:
        return
    every, now = dt.timedelta(seconds=every_s), timezone.now()
    with transaction.atomic():
        Allowance.objects.get_or_create(rate=rate, sender=sender[:160], defaults={"full_at": now})
        row = Allowance.objects.select_for_update().get(rate=rate, sender=sender[:160])
        full_at = max(row.full_at, now) + every
        wait = full_at - now - every * burst
        if wait <= dt.timedelta(0):
            row.full_at = full_at
            row.save(update_fields=["full_at"])
            return
    wait_s = max(1, math.ceil(wait.total_seconds()))
    raise TooOften(
        f"{rate}: {burst} at once and then one every {every_s:g} s; come back in {wait_s} s", wait_s
    )
