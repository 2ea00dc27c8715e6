"""What the hub sees itself: a release that passed and was published is a change of its author."""

from __future__ import annotations

from collections.abc import Iterable

from dougong_registry.contributions.models import Contribution
from dougong_registry.contributions.policy import ChangeFacts, policy_in_force, suggest_level
from dougong_registry.contributions.services import contribution_record, contribution_void
from dougong_registry.plugins.models import OperatorRecord, Release

SHOWN = 20
"""Runs named as evidence, at most."""


def release_credit(*, release: Release, restored_by: str = "") -> Contribution | None:
    """Record a published release for its submitter, once; the level waits for a reviewer.

    Args:
        release: With its plugin.
        restored_by: The advisory whose withdrawal brings back what it took back.

    Returns:
        The new record; None where there is one already, or the release is not published.
    """
    source = f"release:{release.plugin.canonical} {release.version}"
    if restored_by:
        if not Contribution.objects.filter(source=source).exists():
            return None
        source += f" restored by {restored_by}"
    if Contribution.objects.filter(source=source).exists():
        return None
    release = Release.objects.select_related("plugin", "submission__submitter").get(pk=release.pk)
    if release.published_at is None:
        return None
    submission = release.submission
    passed = [
        operator
        for operator in release.operators.prefetch_related("runs__scores").order_by("name")
        if any(run.outcome == "passed" for run in operator.runs.all())
    ]
    runs = sorted(
        run.verdict_id
        for operator in passed
        for run in operator.runs.all()
        if run.outcome == "passed"
    )
    suggestion = suggest_level(policy_in_force(), _facts(release, passed))
    row, _ = contribution_record(
        person=submission.submitter,
        kind="change",
        level=suggestion.level,
        source=source,
        occurred_at=release.published_at,
        evidence=[
            {"kind": "submission", "id": str(submission.pk)},
            *({"kind": "run", "id": verdict_id} for verdict_id in runs[:SHOWN]),
        ],
        plugin=release.plugin,
        summary=f"{release.plugin.name} {release.version}. {suggestion.reasons[0]}"[:512],
        thread=f"submission:{submission.pk}",
        opened_at=min(submission.created_at, release.published_at),
    )
    return row


def release_discredit(*, release: Release, reason: str) -> Contribution | None:
    """Take back what is recorded of a release that was revoked.

    Returns:
        The record that says so; None where nothing of it is in force.
    """
    works = Contribution.in_force().filter(kind="change")
    row = works.filter(thread=f"submission:{release.submission.pk}").first()
    if row is None:
        return None
    return contribution_void(contribution_id=row.pk, by=None, reason=reason[:512])


def _facts(release: Release, passed: list[OperatorRecord]) -> ChangeFacts:
    before = {operator.claimed_name_id: _before(release, operator) for operator in passed}
    new = any(earlier is None for earlier in before.values())
    gains = [
        gain
        for operator in passed
        if (earlier := before[operator.claimed_name_id]) is not None
        and (gain := _gain(operator, earlier)) is not None
    ]
    return ChangeFacts(
        touches=frozenset({"operator"} if new else ()),
        holds=frozenset({"checks", "verdict"}),
        measured={"speedup_ci_low": max(gains)} if gains else {},
    )


def _before(release: Release, operator: OperatorRecord) -> OperatorRecord | None:
    """Return the operator as the last release before this one had it, if it passed there."""
    return (
        OperatorRecord.objects.filter(
            claimed_name=operator.claimed_name_id, release__lt=release.pk, runs__outcome="passed"
        )
        .prefetch_related("runs__scores")
        .order_by("-release")
        .first()
    )


def _gain(now: OperatorRecord, before: OperatorRecord) -> float | None:
    """Return the least gain that the intervals allow wherever both were timed; None nowhere."""
    old, new = dict(_intervals(before)), dict(_intervals(now))
    shared = old.keys() & new.keys()
    return min((new[key][0] / old[key][1] for key in shared), default=None)


def _intervals(
    operator: OperatorRecord,
) -> Iterable[tuple[tuple[str, ...], tuple[float, float]]]:
    for run in sorted(operator.runs.all(), key=lambda each: each.pk):
        if run.outcome == "passed" and run.official and not run.held_reason:
            for score in run.scores.all():
                key = (run.suite, run.hardware_class, score.dtype, score.mode)
                yield key, (score.ci_low, score.ci_high)
