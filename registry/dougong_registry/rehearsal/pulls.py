"""Made-up pull requests: most come in, some wait for people, some were stopped and say where."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections.abc import Iterator

from django.db import transaction
from django.utils import timezone

from dougong_registry.forge.models import STEPS, Event, Head, Pull, Step
from dougong_registry.people.models import Identity
from dougong_registry.rehearsal.build import Size, inserted
from dougong_registry.runs.models import Run
from dougong_registry.submissions.models import Submission

REPOSITORY = 1
ENDS = (
    # state of the newest head, the last step it has, that step's outcome, how often
    ("published", "publish", "passed", 50),
    ("review", "review", "running", 14),
    ("rejected", "lint", "failed", 8),
    ("rejected", "scan", "failed", 3),
    ("blocked", "unblock", "blocked", 7),
    ("judging", "correctness", "running", 4),
    ("building", "build", "running", 2),
    ("errored", "build", "errored", 2),
    ("closed", "review", "cancelled", 2),
)
FAILED = ("rejected", "correctness", "failed", 0)
"""Of the submissions that the judge refused."""
SAID = {
    ("lint", "passed"): "Scope, names, licence, sizes: nothing found",
    ("scan", "passed"): "Secrets, hidden characters, binaries: nothing found",
    ("unblock", "passed"): "Unblocked by person 1",
    ("build", "passed"): "made_up-1.0.0-py3-none-any.whl, 48 kB",
    ("correctness", "passed"): "1 of 1 operators: every gate passed",
    ("speed", "passed"): "1 of 1 operators: timed",
    ("review", "passed"): "L2: approved by 2 of 2 needed",
    ("publish", "passed"): "Published, with its provenance",
    ("lint", "failed"): "contrib/other/plugin.toml is not in the folder of the plugin",
    ("scan", "failed"): "src/table.py has a character that nobody sees (U+202E)",
    ("correctness", "failed"): "large-values, float32, forward: max error is 40 times its bound",
    ("unblock", "blocked"): "A reviewer must look at this commit before it is built",
    ("build", "errored"): "build, tried 8 times: no worker answered",
}


class Pulls:
    """Makes pull requests over the releases that there are."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.draw = random.Random(size.seed)  # noqa: S311 - no secret
        self.now = timezone.now()
        self.people: list[tuple[str, str]] = []

    def build(self, batch: int = 500) -> Iterator[int]:
        """Fill the hub; yields how many pull requests there are after each batch."""
        people = Identity.objects.order_by("pk").values_list("external_id", "login")
        self.people = list(people[:200])
        newest = Submission.objects.select_related("release__plugin").order_by("-pk")
        submissions = list(newest[: self.size.pulls])
        for done in range(0, len(submissions), batch):
            with transaction.atomic():
                self.batch(done + 1, submissions[done : done + batch])
            yield min(done + batch, len(submissions))

    def batch(self, first: int, submissions: list[Submission]) -> None:
        """Make some pull requests, each with its heads, steps and events."""
        weights = [end[3] for end in ENDS]
        refused = self.refused(submissions)
        ends = [
            FAILED if submission.pk in refused else self.draw.choices(ENDS, weights)[0]
            for submission in submissions
        ]
        opened = [self.now - dt.timedelta(days=self.draw.uniform(0, 90)) for _ in submissions]
        pulls = inserted(
            self.pull(first + number, end[0], at)
            for number, (end, at) in enumerate(zip(ends, opened, strict=True))
        )
        heads = inserted(
            head
            for pull, submission, end in zip(pulls, submissions, ends, strict=True)
            for head in self.heads(pull, submission, end)
        )
        last = {pull.pk: (end[1], end[2]) for pull, end in zip(pulls, ends, strict=True)}
        inserted(step for head in heads for step in self.steps(head, *last[head.pull_id]))
        inserted(event for head in heads for event in self.events(head))

    def refused(self, submissions: list[Submission]) -> set[int]:
        """Return which of the submissions have a failed run."""
        keys = [submission.pk for submission in submissions]
        failed = Run.objects.filter(submission__in=keys, outcome="failed")
        return set(failed.values_list("submission", flat=True))

    def pull(self, number: int, state: str, at: dt.datetime) -> Pull:
        """Return a pull request by one of the people."""
        author_id, login = self.draw.choice(self.people)
        merged = state == "published"
        return Pull(
            repository_id=REPOSITORY,
            number=number,
            author_id=int(author_id),
            author_login=login,
            state="merged" if merged else "closed" if state == "closed" else "open",
            merge_sha=_sha(f"merge {number}") if merged else "",
            forge_updated_at=at,
            created_at=at,
        )

    def heads(
        self, pull: Pull, submission: Submission, end: tuple[str, str, str, int]
    ) -> Iterator[Head]:
        """Yield the heads of one, oldest first: all but the last gave way."""
        state, step, outcome, _ = end
        sha = _sha(f"head {pull.number}")
        common = {"pull": pull, "plugin": submission.release.plugin.canonical, "level": "L2"}
        for number in range(self.draw.choice((0, 0, 1, 2))):
            yield Head(
                **common,
                sha=_sha(f"head {pull.number} {number}"),
                state="superseded",
                reason=f"superseded by {sha[:12]}",
                created_at=pull.created_at,
                told=1,
                changes=1,
            )
        judged = STEPS.index(step) >= STEPS.index("correctness")
        stopped = outcome in ("failed", "errored")
        yield Head(
            **common,
            sha=sha,
            state=state,
            reason=SAID[step, outcome] if stopped else "",
            unblock=["the first contribution of its author", "a new plugin"],
            submission=submission if judged else None,
            created_at=pull.created_at + dt.timedelta(hours=1),
            # Far away: nobody serves this repository, so no clock must look at it.
            not_before=self.now + dt.timedelta(days=3650),
            told=1,
            changes=1,
        )

    def steps(self, head: Head, last: str, outcome: str) -> Iterator[Step]:
        """Yield the steps that a head went through, to where it is or stopped."""
        if head.state == "superseded":
            return
        for number, name in enumerate(STEPS[: STEPS.index(last) + 1]):
            came_to = outcome if name == last else "passed"
            at = head.created_at + dt.timedelta(minutes=4 * number)
            yield Step(
                head=head,
                name=name,
                outcome=came_to,
                title=SAID.get((name, came_to), f"{name}: {came_to}"),
                started_at=at,
                finished_at=None if came_to == "running" else at + dt.timedelta(minutes=3),
            )

    def events(self, head: Head) -> Iterator[Event]:
        """Yield what people did: an unblocking, a review or two, the merge."""
        if head.state not in ("review", "published"):
            return
        said = ["unblocked", "approved", *(("approved", "merged") * (head.state == "published"))]
        for number, kind in enumerate(said):
            actor_id, login = self.draw.choice(self.people)
            yield Event(
                pull_id=head.pull_id,
                head=head,
                kind=kind,
                actor_id=None if kind == "merged" else int(actor_id),
                source=f"{kind}:{number}",
                detail={"login": login},
                at=head.created_at + dt.timedelta(hours=number + 1),
            )


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
