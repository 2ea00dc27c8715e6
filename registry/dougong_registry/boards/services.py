"""Keeping the boards true: one operator at a time, or all of them anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Count, Prefetch, Q

from dougong_registry.boards.models import Heading, Place
from dougong_registry.boards.ranking import MIN_COVERAGE
from dougong_registry.plugins.models import OperatorName
from dougong_registry.runs.models import Run, Score

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
        "leader": leader.operator if leader else "",
        "leader_run_id": leader.run_id if leader else "",
        "leader_speedup": leader and leader.speedup,
        "leader_ci_low": leader and leader.ci_low,
        "leader_ci_high": leader and leader.ci_high,
    }.items():
        setattr(heading, name, value)
    heading.save()


def _places(operator_names: Iterable[int]) -> Iterator[Place]:
    runs = (
        Run.objects.filter(operator__claimed_name__in=operator_names, superseded_at__isnull=True)
        .select_related("operator__release__plugin")
        .prefetch_related(Prefetch("scores", Score.objects.order_by("dtype", "mode")))
        .defer("payload")
        .order_by("pk")
    )
    for run in runs:
        scores = {(score.dtype, score.mode): score for score in run.scores.all()}
        # An operator of another dtype or mode has no place there, not even an unranked one.
        for dtype, mode in sorted(scores.keys() | _declared(run.operator.metadata)):
            yield _place(run, dtype, mode, scores.get((dtype, mode)))


def _declared(metadata: dict[str, Any]) -> set[tuple[str, str]]:
    modes = [str(mode) for mode in metadata.get("modes", ()) if mode in {"infer", "train"}]
    # What a compiler takes whole is said in a field of its own.
    if metadata.get("compiles") == "fullgraph":
        modes.append("compiled")
    return {(str(dtype)[:16], mode) for dtype in metadata.get("dtypes", ()) for mode in modes}


def _place(run: Run, dtype: str, mode: str, score: Score | None) -> Place:
    operator = run.operator
    kind, reason = standing(run, score.coverage if score else None)
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


def standing(run: Run, coverage: float | None) -> tuple[str, str]:
    """Return how a run in force stands on a board: `ranked`, or why it is not and the reason."""
    if run.outcome == "failed":
        return "rejected", run.summary
    if run.outcome != "passed":
        return "inconclusive", run.summary
    if run.held_reason:
        return "held", run.held_reason
    if not run.official:
        return "unofficial", "judged by a runner whose runs are shown but not ranked"
    if coverage is None:
        return "unmeasured", "accurate, but no speed was measured in this dtype and mode"
    if coverage < MIN_COVERAGE:
        return (
            "coverage",
            f"measured {coverage:.0%} of the suite's weight; a rank needs {MIN_COVERAGE:.0%}",
        )
    return "ranked", ""
