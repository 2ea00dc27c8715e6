"""Drawing the sample of a week, and drawing it again to check."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from dougong_registry.audit.services import HUB, record
from dougong_registry.reruns.choosing import choose, digest
from dougong_registry.reruns.models import Draw, Rerun
from dougong_registry.runs.models import Run
from dougong_registry.turns import take_turn

SETTLED = dt.timedelta(minutes=10)
"""Longer than any transaction: what was recorded before is seen by whoever draws."""


@transaction.atomic
def draw_week() -> Draw | None:
    """Draw this week's sample, if it was not drawn: once a week, however often it is asked.

    The entry of the audit log that fixes what is drawn from comes first, and its hash is the seed:
    nobody can choose the runs for a seed, nor, without rewriting the log, a seed for the runs.
    """
    share = settings.DOUGONG_AUDIT_SHARE
    if not share:
        return None
    take_turn(connection, "dougong draw")
    now = timezone.now()
    year, number, _ = now.astimezone(dt.UTC).isocalendar()
    week = f"{year}-W{number:02}"
    if Draw.objects.filter(week=week).exists():
        return None
    cutoff = now - SETTLED
    runs = population(cutoff)
    fixed = {"population": len(runs), "population_sha256": digest(runs)}
    entry = record(
        actor=HUB,
        verb="sample.fixed",
        target=f"sample:{week}",
        cutoff=cutoff.isoformat(),
        share=share,
        **fixed,
    )
    draw = Draw.objects.create(week=week, cutoff=cutoff, share=share, seed=entry.hash, **fixed)
    chosen = choose(draw.seed, runs, share)
    rows = [runs[each] for each in chosen]
    # Whoever is checked already, as first of a board, is checked once.
    taken = set(
        Rerun.objects.filter(first__in=rows, settled_at=None).values_list("first", flat=True)
    )
    Rerun.objects.bulk_create(
        Rerun(cause="sample", draw=draw, first_id=row, created_at=draw.drawn_at)
        for row in rows
        if row not in taken
    )
    record(
        actor=HUB,
        verb="sample.drawn",
        target=f"sample:{week}",
        seed=draw.seed,
        runs=len(chosen),
        runs_sha256=digest(chosen),
    )
    return draw


def population(cutoff: dt.datetime) -> dict[str, int]:
    """Return the official runs that passed and were in force at a moment: verdict id to row."""
    in_force = Run.objects.filter(
        Q(superseded_at__isnull=True) | Q(superseded_at__gt=cutoff),
        official=True,
        outcome="passed",
        recorded_at__lte=cutoff,
    )
    return dict(in_force.values_list("verdict_id", "pk"))


def draw_again(draw: Draw) -> tuple[bool, list[str]]:
    """Return whether what was drawn from is still what was fixed, and the sample drawn again."""
    runs = population(draw.cutoff)
    same = digest(runs) == draw.population_sha256
    return same, choose(draw.seed, runs, draw.share)
