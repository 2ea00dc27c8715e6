"""Pull requests as rows: which there are, and where one stands and why."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Case, Exists, IntegerField, OuterRef, QuerySet, Subquery, Value, When

from dougong_registry.boards.selectors.runs import newest_runs
from dougong_registry.forge.config import configured
from dougong_registry.forge.models import STEPS, Event, Head, Pull, Step
from dougong_registry.forge.pulls.rows import (
    PullDetail,
    PullEventRow,
    PullFinding,
    PullHeadRow,
    PullReviewRow,
    PullRow,
    PullSpeedRow,
    PullStepRow,
    PullVerdictRow,
)
from dougong_registry.forge.reviews import APPROVED, CHANGES, DISMISSED, Quorum, quorum
from dougong_registry.paging import Page, page_of
from dougong_registry.people.models import Identity
from dougong_registry.problem import Missing, Unavailable
from dougong_registry.runs.models import Run

SHOWS = {
    "people": ("blocked", "review"),
    "hub": ("received", "examining", "building", "judging", "publishing"),
    "stopped": ("rejected", "errored", "quarantined"),
    "published": ("published",),
}
"""What a reader may ask for: whom a head waits for, or how it ended."""
JUDGED = ("review", "publishing", "published")
SHORTEST_SHA = 7
MOST = 100
"""Heads and events of one pull request at most."""
_PUBLIC = "https://api.github.com"


def pulls_list(*, show: str = "", limit: int = 50, offset: int = 0) -> tuple[PullRow, ...]:
    """Return pull requests, the newest first.

    Args:
        show: One of `SHOWS`, or empty for all.
        limit: Rows at most.
        offset: Rows to skip.
    """
    return _rows(list(_pulls(show).order_by("-pk")[offset : offset + limit]))


def pulls_page(*, show: str = "", limit: int = 50, cursor: str = "") -> Page[PullRow]:
    """Return one page of the same."""
    page = page_of(_pulls(show), lambda pull: pull, order="-pk", limit=limit, cursor=cursor)
    return Page(rows=_rows(page.rows), next=page.next, previous=page.previous)


def pull_of_submission(submission_id: int) -> int | None:
    """Return the number of the pull request that a submission came by; none of an upload."""
    heads = Head.objects.filter(submission=submission_id).order_by("-pk")
    return heads.values_list("pull__number", flat=True).first()


def pull_detail(number: int, *, sha: str = "") -> PullDetail:
    """Return one pull request and one of its heads.

    Args:
        number: As the forge counts.
        sha: The beginning of a head's commit, seven digits or more; else the head in force.

    Raises:
        Missing: there is no such pull request, or no such head of it.
    """
    pull = _pulls().filter(number=number).order_by("-pk").first()
    if pull is None:
        raise Missing(f"no pull request {number} was seen; see /pulls/")
    heads = list(pull.heads.select_related("submission__release__plugin").order_by("-pk")[:MOST])
    head = _chosen(pull, heads, sha)
    events = list(pull.events.select_related("head").order_by("-pk")[:MOST])
    reviews = [event for event in events if head and event.head_id == head.pk]
    asked = _quorum(pull, head)
    submission = head.submission if head else None
    in_force = next((each for each in heads if each.pk == getattr(pull, "head_pk", None)), None)
    return PullDetail(
        pull=_row(pull, in_force),
        heads=tuple(map(_head_row, heads)),
        head=_head_row(head) if head else None,
        steps=_steps(head) if head else (),
        unblock=tuple(map(str, head.unblock)) if head else (),
        reviews=_reviews(reviews, asked),
        approvals_needed=asked.needed if asked else 0,
        approvals_missing=tuple(asked.missing) if asked else (),
        verdicts=_verdicts(submission.pk) if submission else (),
        submission_id=submission.pk if submission else None,
        distribution=submission.release.plugin.name if submission else "",
        version=submission.release.version if submission else "",
        published=head is not None and head.state == "published",
        author_here=_login(pull.author_id),
        forge_url=_forge_url(number),
        events=tuple(map(_event_row, events)),
    )


def _pulls(show: str = "") -> QuerySet[Pull]:
    """Return pull requests of the repository that is served, each with its head in force."""
    gave_way = Case(
        When(state="superseded", then=Value(1)), default=Value(0), output_field=IntegerField()
    )
    heads = Head.objects.filter(pull=OuterRef("pk")).order_by(gave_way, "-pk")
    pulls = Pull.objects.annotate(head_pk=Subquery(heads.values("pk")[:1]))
    if config := configured():
        pulls = pulls.filter(repository_id=config.repository_id)
    if states := SHOWS.get(show):
        pulls = pulls.filter(Exists(Head.objects.filter(pull=OuterRef("pk"), state__in=states)))
    return pulls


def _rows(pulls: Sequence[Pull]) -> tuple[PullRow, ...]:
    heads = Head.objects.in_bulk([key for pull in pulls if (key := _key(pull)) is not None])
    return tuple(_row(pull, heads.get(_key(pull) or 0)) for pull in pulls)


def _key(pull: Pull) -> int | None:
    key: int | None = getattr(pull, "head_pk", None)
    return key


def _row(pull: Pull, head: Head | None) -> PullRow:
    return PullRow(
        number=pull.number,
        state=pull.state,
        author_id=pull.author_id,
        author=pull.author_login,
        plugin=head.plugin if head else "",
        level=head.level if head else "",
        head_sha=head.sha if head else "",
        head_state=head.state if head else "",
        reason=head.reason if head else "",
        held_reason=pull.held_reason,
        opened_at=pull.created_at,
    )


def _chosen(pull: Pull, heads: Sequence[Head], sha: str) -> Head | None:
    if not sha:
        return next((head for head in heads if head.pk == _key(pull)), None)
    found = [head for head in heads if len(sha) >= SHORTEST_SHA and head.sha.startswith(sha)]
    if not found:
        raise Missing(f"pull request {pull.number} has no head {sha[:64]!r}")
    return found[0]


def _head_row(head: Head) -> PullHeadRow:
    return PullHeadRow(
        sha=head.sha,
        state=head.state,
        reason=head.reason,
        round=head.round,
        created_at=head.created_at,
    )


def _steps(head: Head) -> tuple[PullStepRow, ...]:
    """Return every step there is, in their order, with what this head's round came to so far."""
    steps = {step.name: step for step in head.steps.filter(round=head.round)}
    reached = max((STEPS.index(name) for name in steps), default=-1)
    return tuple(
        _step_row(steps[name])
        if name in steps
        else PullStepRow(
            name=name,
            outcome="skipped" if number < reached else "waiting",
            title="not needed" if number < reached else "",
            findings=(),
            finished_at=None,
        )
        for number, name in enumerate(STEPS)
    )


def _step_row(step: Step) -> PullStepRow:
    return PullStepRow(
        name=step.name,
        outcome=step.outcome,
        title=step.title,
        findings=tuple(
            PullFinding(
                path=str(each.get("path", "")),
                line=int(each.get("line", 1)),
                title=str(each.get("title", "")),
                message=str(each.get("message", "")),
            )
            for each in step.annotations[:MOST]
        ),
        finished_at=step.finished_at,
    )


def _quorum(pull: Pull, head: Head | None) -> Quorum | None:
    """Return who approved and what is missing; nothing before a head was judged."""
    if head is None or head.state not in JUDGED:
        return None
    head.pull = pull
    try:
        found = quorum(head)
    except Unavailable:
        return Quorum(needed=0, approvers=(), missing=("who may approve cannot be read now",))
    if head.state == "review":
        return found
    # It met what was asked then; who has which role may have changed since.
    return Quorum(needed=found.needed, approvers=found.approvers, missing=())


def _reviews(events: Sequence[Event], asked: Quorum | None) -> tuple[PullReviewRow, ...]:
    last: dict[int, Event] = {}
    for event in events:
        if event.kind in (APPROVED, CHANGES, DISMISSED) and event.actor_id is not None:
            last.setdefault(event.actor_id, event)
    return tuple(
        PullReviewRow(
            reviewer_id=reviewer,
            reviewer=_name(event, events),
            said=event.kind,
            counts=asked is not None and reviewer in asked.approvers and event.kind == APPROVED,
            at=event.at,
        )
        for reviewer, event in last.items()
    )


def _name(event: Event, events: Sequence[Event]) -> str:
    """Return the login of who did something; a dismissal says only the id."""
    same = (each for each in events if each.actor_id == event.actor_id)
    found = (each.detail.get("login") for each in (event, *same))
    return str(next(filter(None, found), f"person {event.actor_id}"))


def _verdicts(submission_id: int) -> tuple[PullVerdictRow, ...]:
    runs = newest_runs(Run.objects.filter(submission=submission_id))
    return tuple(
        PullVerdictRow(
            operator=run.operator.name,
            outcome=run.outcome,
            code=run.code,
            summary=run.summary,
            hardware_class=run.hardware_class,
            run_id=run.verdict_id,
            speeds=tuple(
                PullSpeedRow(
                    dtype=score.dtype,
                    mode=score.mode,
                    speedup=score.speedup,
                    ci_low=score.ci_low,
                    ci_high=score.ci_high,
                )
                for score in run.scores.all()
            ),
        )
        for run in runs.select_related("operator")
        .defer("payload", "operator__metadata")
        .prefetch_related("scores")
        .order_by("operator__name")
    )


def _login(forge_id: int) -> str:
    logins = Identity.objects.filter(provider="github", external_id=str(forge_id))
    return logins.values_list("login", flat=True).first() or ""


def _forge_url(number: int) -> str:
    config = configured()
    if config is None or config.api_url != _PUBLIC:
        return ""
    return f"https://github.com/{config.owner}/{config.name}/pull/{number}"


def _event_row(event: Event) -> PullEventRow:
    detail = event.detail
    said = [detail.get(key) for key in ("words", "refused", "because", "level", "by")]
    return PullEventRow(
        kind=event.kind,
        actor_id=event.actor_id,
        actor=str(detail.get("login") or "") if event.actor_id is not None else "",
        words="; ".join(str(each) for each in said if each)[:500],
        at=event.at,
    )
