"""Keeping the boards true: one operator at a time, or all of them anew."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, Prefetch, Q
from django.utils import timezone

from dougong_registry.boards.models import Heading, Place
from dougong_registry.boards.ranking import MIN_COVERAGE
from dougong_registry.plugins.models import OperatorName
from dougong_registry.reruns.models import Rerun
from dougong_registry.runs.lessons import teaches
from dougong_registry.runs.models import Run, Score
from dougong_registry.suites.selectors import retirement_dates

BATCH = 200


class Key(NamedTuple):
    """Which board."""

    contract: str
    suite: str
    hardware_class: str
    dtype: str
    mode: str


@transaction.atomic
def places_refresh(*, operator_name_id: int) -> None:
    """Make an operator's places anew from its runs in force, and the headings of its boards."""
    # Two runs of one operator that are recorded at once take turns here.
    OperatorName.objects.select_for_update().get(pk=operator_name_id)
    before = Place.objects.filter(operator_name=operator_name_id)
    keys = {_key(place) for place in before}
    before.delete()
    after = list(_places([operator_name_id]))
    Place.objects.bulk_create(after, batch_size=BATCH)
    for key in sorted(keys | {_key(place) for place in after}):
        _head(key)


def places_rebuild() -> Iterator[int]:
    """Make all places and headings anew; yields how many operators are done after each batch."""
    with transaction.atomic():
        Place.objects.all().delete()
        Heading.objects.all().delete()
        names = OperatorName.objects.order_by("pk").values_list("pk", flat=True).iterator()
        done = 0
        while batch := list(islice(names, BATCH)):
            Place.objects.bulk_create(_places(batch), batch_size=BATCH)
            done += len(batch)
            yield done
        for key in Place.objects.values_list(*Key._fields).distinct():
            _head(Key(*key))


def _key(place: Place) -> Key:
    return Key(*(getattr(place, name) for name in Key._fields))


def _head(key: Key) -> None:
    """Count a board again; others who change it wait for this row."""
    board = key._asdict()
    heading, _ = Heading.objects.select_for_update().get_or_create(
        **board, defaults={"ranked": 0, "unranked": 0, "measured": 0}
    )
    places = Place.objects.filter(**board)
    counts = places.aggregate(
        ranked=Count("pk", filter=Q(kind="ranked")),
        unranked=Count("pk", filter=~Q(kind="ranked")),
        measured=Count("speedup"),
    )
    if not counts["ranked"] + counts["unranked"]:
        heading.delete()
        return
    leader = places.filter(kind="ranked").order_by("-speedup", "pk").first()
    for name, value in {
        **counts,
        "changed_at": timezone.now(),
        "leader": leader.operator if leader else "",
        "leader_run_id": leader.run_id if leader else "",
        "leader_confirmed": leader is not None and leader.confirmed,
        "leader_speedup": leader and leader.speedup,
        "leader_ci_low": leader and leader.ci_low,
        "leader_ci_high": leader and leader.ci_high,
    }.items():
        setattr(heading, name, value)
    heading.save()


def _places(operator_names: Collection[int]) -> Iterator[Place]:
    confirmed = _confirmed(operator_names)
    retired = retirement_dates()
    runs = (
        Run.objects.filter(
            operator__claimed_name__in=operator_names,
            superseded_at__isnull=True,
            # What waits for its merge has no place yet.
            submission__publishes=True,
        )
        .select_related("operator__release__plugin")
        .prefetch_related(Prefetch("scores", Score.objects.order_by("dtype", "mode")))
        .defer("payload")
        .order_by("pk")
    )
    for run in runs:
        scores = {(score.dtype, score.mode): score for score in run.scores.all()}
        # An operator of another dtype or mode has no place there, not even an unranked one.
        for dtype, mode in sorted(scores.keys() | _declared(run.operator.metadata)):
            place = _place(run, dtype, mode, scores.get((dtype, mode)), retired.get(run.suite))
            place.confirmed = _of_release(run) in confirmed
            yield place


def _confirmed(operator_names: Collection[int]) -> set[tuple[Any, ...]]:
    """Return which releases two runs agreed of, and where."""
    agreed = Rerun.objects.filter(result="agrees", first__operator__claimed_name__in=operator_names)
    names = ("operator_id", "suite", "device", "hardware_class")
    return set(agreed.values_list(*(f"first__{name}" for name in names)))


def _of_release(run: Run) -> tuple[Any, ...]:
    return run.operator_id, run.suite, run.device, run.hardware_class


def _declared(metadata: dict[str, Any]) -> set[tuple[str, str]]:
    modes = [str(mode) for mode in metadata.get("modes", ()) if mode in {"infer", "train"}]
    # What a compiler takes whole is said in a field of its own.
    if metadata.get("compiles") == "fullgraph":
        modes.append("compiled")
    return {(str(dtype)[:16], mode) for dtype in metadata.get("dtypes", ()) for mode in modes}


def _place(
    run: Run, dtype: str, mode: str, score: Score | None, retires_on: dt.date | None
) -> Place:
    operator = run.operator
    kind, reason = standing(run, score.coverage if score else None, retires_on)
    return Place(
        operator_name_id=operator.claimed_name_id,
        contract=run.contract,
        suite=run.suite,
        hardware_class=run.hardware_class,
        dtype=dtype,
        mode=mode,
        kind=kind,
        reason=reason,
        operator=operator.name,
        variant=operator.variant,
        summary=operator.summary,
        distribution=operator.release.plugin.name,
        version=operator.release.version,
        outcome=run.outcome,
        code=run.code,
        run_id=run.verdict_id,
        torch_version=run.torch_version,
        judge_version=run.judge_version,
        judged_at=run.finished_at,
        **_measured(score),
    )


def _measured(score: Score | None) -> dict[str, Any]:
    names = (
        "speedup",
        "ci_low",
        "ci_high",
        "decision",
        "restarts",
        "coverage",
        "relative_l2",
        "error_share",
    )
    return {name: getattr(score, name) for name in names} if score else {}


def standing(
    run: Run, coverage: float | None, retires_on: dt.date | None = None
) -> tuple[str, str]:
    """Return how a run in force stands on a board: `ranked`, or why it is not and the reason."""
    if run.outcome == "failed":
        return "rejected", run.summary
    if run.outcome != "passed":
        return "inconclusive", run.summary
    if run.held_reason:
        return "held", run.held_reason
    if not run.official and retires_on and run.recorded_at.astimezone(dt.UTC).date() >= retires_on:
        return "unofficial", f"judged under a suite that retired on {retires_on}"
    if not run.official:
        return "unofficial", "judged by a runner whose runs are shown but not ranked"
    if coverage is None and teaches(run.contract):
        return "unmeasured", "trained: what it reached is its measure, not a speed-up"
    if coverage is None:
        return "unmeasured", "accurate, but no speed was measured in this dtype and mode"
    if coverage < MIN_COVERAGE:
        return (
            "coverage",
            f"measured {coverage:.0%} of the suite's weight; a rank needs {MIN_COVERAGE:.0%}",
        )
    return "ranked", ""
