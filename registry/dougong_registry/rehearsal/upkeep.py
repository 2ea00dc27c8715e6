"""Made-up upkeep: notices of what became worse, campaigns of judging again, second runs."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections.abc import Iterator

from django.db import transaction
from django.utils import timezone

from dougong_registry.campaigns.models import BY_ITSELF, Campaign
from dougong_registry.notices.models import Notice
from dougong_registry.rehearsal.build import MACHINES, Size, inserted
from dougong_registry.reruns.models import Draw, Rerun
from dougong_registry.runs.models import Run

WEEKS = 12
PAST = 40
"""Campaigns that are over, on each machine."""


class Upkeep:
    """Makes what keeps boards true, over the runs that there are."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.draw = random.Random(size.seed)  # noqa: S311 - no secret
        self.now = timezone.now()

    def build(self) -> Iterator[int]:
        """Fill the hub; yields once, with how many notices there are."""
        wanted = max(self.size.plugins // 10, 4)
        here = Run.objects.filter(hardware_class=MACHINES[0]).select_related(
            "operator", "submission__release"
        )
        slim = here.defer("payload", "operator__metadata")
        after = list(slim.filter(superseded_at__isnull=True).order_by("pk")[:wanted])
        owned = [run.operator.claimed_name_id for run in after]
        older = slim.filter(superseded_at__isnull=False, operator__claimed_name__in=owned)
        before = {run.operator.claimed_name_id: run for run in older.order_by("pk")}
        with transaction.atomic():
            self.campaigns()
            self.reruns(after, before)
            pairs = [
                (before[run.operator.claimed_name_id], run)
                for run in after
                if run.operator.claimed_name_id in before
            ]
            yield len(inserted(self.notice(*pair) for pair in pairs))

    def campaigns(self) -> None:
        """Make one that goes on and many that are over."""
        for place in MACHINES:
            inserted(
                Campaign(
                    reason=self.draw.choice(BY_ITSELF),
                    hardware_class=place,
                    from_versions=f"2.{number}.0",
                    to_version=f"2.{number + 1}.0",
                    because=f"machines of this kind now have 2.{number + 1}.0",
                    total=60,
                    done=60,
                    started_at=self.now - dt.timedelta(days=10 * (PAST - number) + 5),
                    ended_at=self.now - dt.timedelta(days=10 * (PAST - number)),
                    ended_as="finished",
                )
                for number in range(PAST)
            )
            Campaign.objects.create(
                reason="torch",
                hardware_class=place,
                from_versions="2.9.1",
                to_version="2.10.0",
                because="machines of this kind now have torch 2.10.0",
                total=self.size.plugins,
                done=self.size.plugins // 3,
            )

    def reruns(self, after: list[Run], before: dict[int, Run]) -> None:
        """Make the samples of some weeks, and checks of first places."""
        draws = inserted(self.week(number) for number in range(WEEKS))
        inserted(
            self.rerun(run, before.get(run.operator.claimed_name_id), self.draw.choice(draws))
            for run in after
        )

    def week(self, number: int) -> Draw:
        """Return the sample of one week."""
        at = self.now - dt.timedelta(weeks=number)
        year, week, _ = at.isocalendar()
        digest = hashlib.sha256(f"{number}".encode()).hexdigest()
        return Draw(
            week=f"{year}-W{week:02}",
            cutoff=at,
            population=self.size.plugins,
            population_sha256=digest,
            share=0.02,
            seed=digest,
            drawn_at=at,
        )

    def rerun(self, first: Run, second: Run | None, draw: Draw) -> Rerun:
        """Return a second run, or one that is waited for."""
        cause, result = self.draw.choice(("sample", "first_place")), ""
        if second is not None:
            result = self.draw.choices(("agrees", "disagrees", ""), (85, 5, 10))[0]
        words = {"agrees": "both 1.31x, intervals overlap", "disagrees": "1.31x, then 1.02x"}
        return Rerun(
            cause=cause,
            draw=draw if cause == "sample" else None,
            first=first,
            second=second if result else None,
            result=result,
            words=words.get(result, ""),
            settled_at=self.now if result else None,
        )

    def notice(self, before: Run, after: Run) -> Notice:
        """Return a notice; a few were seen or are mended."""
        state = self.draw.choices(("open", "closed"), (70, 30))[0]
        over = state == "closed"
        return Notice(
            plugin_id=after.submission.release.plugin_id,
            operator_name_id=after.operator.claimed_name_id,
            suite=after.suite,
            device=after.device,
            hardware_class=after.hardware_class,
            dtype="float32",
            mode="infer",
            from_run=before,
            to_run=after,
            words="1.31x [1.29, 1.33] before, 1.18x [1.16, 1.20] now (float32 infer)",
            state=state,
            opened_at=self.now - dt.timedelta(days=self.draw.uniform(0, 60)),
            closed_at=self.now if over else None,
            closing_run=after if over else None,
        )
