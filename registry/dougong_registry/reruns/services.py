"""Ordering second runs, and holding the place of whoever's two runs disagree."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from dougong_registry.audit.services import HUB, record
from dougong_registry.boards.models import Heading
from dougong_registry.fleet.editions import editions, stale_words
from dougong_registry.reruns.models import Rerun
from dougong_registry.runs.comparing import differences
from dougong_registry.runs.found import found
from dougong_registry.runs.models import CONCLUSIVE, Run
from dougong_registry.submissions.background import OPEN, job_again
from dougong_registry.submissions.models import Job
from dougong_registry.suites.selectors import is_retired, retired_suites

AT_ONCE = 4
"""Jobs for checking that are open at once, over all machines."""
LOOKED_AT = 200
"""Open reruns that one call looks at."""
FIRST_PLACE_TRIES = 3
"""Second runs of one release on one kind of machine, where they cannot be compared."""
WHY = {
    "sample": "the weekly sample checks it",
    "first_place": "it leads a board, and a second run is to confirm that",
}


def rerun_settle(*, run: Run) -> None:
    """Compare a run with the one it was to check, and hold its place where they disagree.

    Runs in the transaction that records the run, before its places are made: what disagrees is not
    ranked for a moment.
    """
    if not run.official or run.outcome not in CONCLUSIVE:
        return
    waiting = (
        Rerun.objects.select_for_update(of=("self",))
        .select_related("first")
        .filter(
            settled_at__isnull=True,
            **_comparable(run),
        )
        .exclude(first=run.pk)
    )
    for rerun in waiting.defer("first__payload").order_by("pk"):
        result, words = _compared(rerun.first, run)
        _close(rerun, result, words, second=run)
        if result == "disagrees" and not run.held_reason:
            run.held_reason = f"a second run disagrees with {rerun.first.verdict_id}: {words}"[:512]
            Run.objects.filter(pk=run.pk).update(held_reason=run.held_reason)


def _comparable(run: Run) -> dict[str, Any]:
    """Return what picks the checks of runs that may be held against this one."""
    shared = {name: getattr(run, name) for name in ("suite", "device", "hardware_class")}
    return {"first__operator": run.operator_id, **{f"first__{k}": v for k, v in shared.items()}}


def _compared(first: Run, second: Run) -> tuple[str, str]:
    for name in ("torch_version", "judge_version"):
        mine, other = getattr(first, name), getattr(second, name)
        if mine != other:
            what = name.partition("_")[0]
            return (
                "incomparable",
                f"{what} {mine or '?'} judged the first, {other or '?'} the second",
            )
    found_apart = differences(found(first), found(second))
    if found_apart:
        return "disagrees", "; ".join(each.words for each in found_apart)
    return "agrees", ""


def first_places_order() -> int:
    """Ask for a second run of whoever newly leads a board; return of how many.

    A release that leads is confirmed once on a kind of machine, by two runs that agree. It is asked
    for when the run is `DOUGONG_CONFIRM_AFTER_S` old: while a board fills, leaders come and go.
    """
    old_enough = timezone.now() - dt.timedelta(seconds=settings.DOUGONG_CONFIRM_AFTER_S)
    leading = (
        Heading.objects.filter(ranked__gt=0, leader_confirmed=False)
        .exclude(suite__in=retired_suites())
        .values("leader_run_id")
    )
    runs = Run.objects.filter(
        verdict_id__in=leading, recorded_at__lte=old_enough, superseded_at__isnull=True
    ).defer("payload")
    of_release = Rerun.objects.filter(
        first__operator=OuterRef("operator"),
        first__suite=OuterRef("suite"),
        first__device=OuterRef("device"),
        first__hardware_class=OuterRef("hardware_class"),
    )
    asked = 0
    for run in runs.exclude(Exists(of_release.filter(settled_at__isnull=True))).order_by("pk"):
        before = Rerun.objects.filter(cause="first_place", **_comparable(run))
        if before.count() < FIRST_PLACE_TRIES and _open(run):
            asked += 1
    return asked


def _open(run: Run) -> bool:
    try:
        with transaction.atomic():
            Rerun.objects.create(cause="first_place", first=run)
            record(
                actor=HUB,
                verb="first_place.questioned",
                target=run.verdict_id,
                suite=run.suite,
                hardware_class=run.hardware_class,
            )
    except IntegrityError:
        return False
    return True


def reruns_advance() -> int:
    """Drop what need not be checked any more and send a few orders; return how many were sent."""
    for rerun in _unsettled().filter(job__isnull=False).exclude(job__state__in=OPEN):
        _give_up(rerun.pk)
    open_jobs = Job.objects.filter(cause="check", state__in=OPEN).count()
    room, sent = AT_ONCE - open_jobs, 0
    now = editions()
    for rerun in _unsettled().filter(job__isnull=True)[:LOOKED_AT]:
        if sent >= room:
            break
        run = rerun.first
        # A campaign judges again what is stale; two runs by different judges are not compared.
        stale = stale_words(run.torch_version, run.judge_version, run.hardware_class, now)
        if not stale or _needless(run):
            sent += _send(rerun.pk)
    return sent


def _unsettled() -> QuerySet[Rerun]:
    related = ("first__operator__release__plugin", "job")
    return (
        Rerun.objects.filter(settled_at__isnull=True)
        .select_related(*related)
        .defer("first__payload", "first__operator__metadata")
        .order_by("pk")
    )


@transaction.atomic
def _send(rerun_id: int) -> bool:
    rerun = Rerun.objects.select_for_update(of=("self",)).get(pk=rerun_id)
    if rerun.job_id is not None or rerun.settled_at is not None:
        return False
    run = Run.objects.select_related("operator__release__plugin").get(pk=rerun.first_id)
    if why := _needless(run):
        _close(rerun, "dropped", why)
        return False
    rerun.job = job_again(
        submission_id=run.submission_id,
        device=run.device,
        hardware_class=run.hardware_class,
        operators=[run.operator.name],
        cause="check",
        reason=WHY[rerun.cause],
    )
    rerun.save(update_fields=["job"])
    return rerun.job is not None


def _needless(run: Run) -> str:
    if run.superseded_at is not None:
        return "a later run took its place before it was checked"
    if run.held_reason:
        return "it is held: a person looks first"
    if run.operator.release.plugin.status == "quarantined":
        return "its plugin is quarantined, so nothing of it is run"
    if is_retired(run.suite):
        return f"the suite {run.suite} is retired"
    return ""


@transaction.atomic
def _give_up(rerun_id: int) -> None:
    """Drop a rerun whose order came to nothing, once nothing of it is open."""
    rerun = Rerun.objects.select_for_update(of=("self",)).get(pk=rerun_id)
    if rerun.settled_at is not None or rerun.job is None:
        return
    job = rerun.job
    again = Q(submission=job.submission_id, device=job.device, state__in=OPEN)
    if not Job.objects.filter(again).exists():
        _close(
            rerun, "dropped", f"its judgement told nothing: {job.reason or 'inconclusive'}"[:512]
        )


def _close(rerun: Rerun, result: str, words: str, second: Run | None = None) -> None:
    rerun.result, rerun.words, rerun.second = result, words[:512], second
    rerun.settled_at = timezone.now()
    rerun.save(update_fields=["result", "words", "second", "settled_at"])
    record(
        actor=HUB,
        verb=f"run.{'held' if result == 'disagrees' else 'checked'}",
        target=(second or rerun.first).verdict_id,
        cause=rerun.cause,
        result=result,
        words=rerun.words,
        first=rerun.first.verdict_id,
    )
