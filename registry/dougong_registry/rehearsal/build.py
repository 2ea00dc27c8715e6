"""Filling an empty hub with made-up rows, in batches, with what the rows rest on made first."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import random
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from django.db import models, transaction
from django.utils import timezone

from dougong_ci.report.verdict import Subject
from dougong_registry.people.models import Identity
from dougong_registry.plugins.models import (
    Artifact,
    OperatorName,
    OperatorRecord,
    Plugin,
    Provider,
    Release,
)
from dougong_registry.plugins.names import confusable_key
from dougong_registry.rehearsal import names
from dougong_registry.rehearsal.verdicts import GATES, PLACES, verdict
from dougong_registry.runs.lessons import teaches
from dougong_registry.runs.models import GateResult, Lesson, Run, Runner, Score
from dougong_registry.submissions.models import Submission

Row = TypeVar("Row", bound=models.Model)
MACHINES = ("cpu/rehearsal-2c/avx512", "cuda/rehearsal-sm90")
POOL = 8
"""Different verdicts for each contract and machine; every run in force has a whole one."""
TASKS = {"digits": 0.1, "text": 1.8}
"""What optimizers are trained on, and about the loss that they reach."""
SLIM = '{"made up": "a run no longer in force"}'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is made up."""

    plugins: int = 10_000
    releases: int = 100_000
    measurements: int = 1_000_000
    people: int = 2_000
    contributions: int = 50_000
    pulls: int = 5_000
    seed: int = 1

    @property
    def versions(self) -> int:
        """Releases of one plugin."""
        return max(self.releases // self.plugins, 1)

    @property
    def places(self) -> int:
        """Scores of one run, of the five that a judge times."""
        runs = self.plugins * self.versions * len(MACHINES)
        return min(max(self.measurements // runs, 1), len(PLACES))


class Rehearsal:
    """Makes one plugin after the other: releases, submissions, one operator, runs, scores."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.draw = random.Random(size.seed)  # noqa: S311 - no secret
        self.now = timezone.now()
        self.names = names.plugins(size.seed)
        self.pool: dict[tuple[str, str, int], str] = {}

    def build(self, batch: int = 200) -> Iterator[int]:
        """Fill the hub; yields how many plugins are done after each batch."""
        people, runners = self.people(), self.runners()
        done = 0
        while done < self.size.plugins:
            count = min(batch, self.size.plugins - done)
            with transaction.atomic():
                self.batch(list(islice(self.names, count)), people, runners, done)
            done += count
            yield done

    def people(self) -> list[Identity]:
        """Make the people who submit."""
        rows = [
            Identity(provider="rehearsal", external_id=str(number), login=f"person-{number}")
            for number in range(self.size.people)
        ]
        return Identity.objects.bulk_create(rows)

    def runners(self) -> list[Runner]:
        """Make a runner for each machine."""
        rows = [
            Runner(
                name=place.replace("/", "-"),
                public_key=f"made up {number}",
                key_id=f"made-up-{number}",
                hardware_class=place,
                official=True,
            )
            for number, place in enumerate(MACHINES)
        ]
        return Runner.objects.bulk_create(rows)

    def batch(
        self, chosen: list[str], people: list[Identity], runners: list[Runner], done: int
    ) -> None:
        """Make some plugins and everything that hangs on them."""
        plugins = inserted(self.plugin(name, people) for name in chosen)
        providers = inserted(
            Provider(
                name=plugin.name[:40].rstrip("-"),
                confusable_key=confusable_key(plugin.name)[:40],
                owner_id=plugin.owner_id,
            )
            for plugin in plugins
        )
        contracts = [self.draw.choice(tuple(names.CONTRACTS)) for _ in plugins]
        ways = [self.draw.choice(names.CONTRACTS[contract]) for contract in contracts]
        claimed = inserted(
            OperatorName(name=f"{provider.name}/{way}", provider=provider, plugin=plugin)
            for provider, way, plugin in zip(providers, ways, plugins, strict=True)
        )
        versions = range(self.size.versions)
        owned = [(i, v) for i in range(len(plugins)) for v in versions]
        artifacts = inserted(self.artifact(plugins[i], v, done + i) for i, v in owned)
        releases = inserted(
            self.release(plugins[i], v, artifact)
            for (i, v), artifact in zip(owned, artifacts, strict=True)
        )
        submissions = inserted(
            Submission(
                release=release,
                submitter_id=plugins[i].owner_id,
                sha256=artifact.sha256,
                state="judged",
                created_at=release.created_at,
                finished_at=release.created_at + dt.timedelta(seconds=90),
            )
            for (i, _), release, artifact in zip(owned, releases, artifacts, strict=True)
        )
        records = inserted(
            self.record(claimed[i], release, contracts[i], ways[i])
            for (i, _), release in zip(owned, releases, strict=True)
        )
        self.runs(records, submissions, artifacts, runners)

    def plugin(self, name: str, people: list[Identity]) -> Plugin:
        """Return a plugin of one of the people; a few have most, as in any registry."""
        owner = people[min(int(self.draw.paretovariate(0.6)), len(people)) - 1]
        return Plugin(
            name=name,
            canonical=name,
            confusable_key=confusable_key(name),
            summary=f"Operators of {name}",
            owner=owner,
            created_at=self.now - dt.timedelta(days=self.draw.uniform(100, 700)),
        )

    def artifact(self, plugin: Plugin, version: int, number: int) -> Artifact:
        """Return an artifact without bytes, of which the newest has a README."""
        filename = f"{plugin.name.replace('-', '_')}-1.{version}.0-py3-none-any.whl"
        text = ""
        if version == self.size.versions - 1:
            readme = f"# {plugin.name}\n\nMade up for a rehearsal.\n\n" + "A line of text.\n" * 30
            text = f"Metadata-Version: 2.4\nName: {plugin.name}\nVersion: 1.{version}.0\n\n{readme}"
        return Artifact(
            sha256=_digest(filename),
            size_bytes=20_000 + number % 50_000,
            filename=filename,
            core_metadata=text,
            core_metadata_sha256=_digest(text) if text else "",
        )

    def release(self, plugin: Plugin, version: int, artifact: Artifact) -> Release:
        """Return a published release; one in fifty is yanked."""
        at = plugin.created_at + dt.timedelta(days=9 * version)
        yanked = version > 0 and self.draw.random() < 0.02
        return Release(
            plugin=plugin,
            version=f"1.{version}.0",
            artifact=artifact,
            license="MIT",
            created_at=at,
            sealed_at=at,
            published_at=at,
            yanked_at=at if yanked else None,
            yanked_reason="made up" if yanked else "",
        )

    def record(
        self, claimed: OperatorName, release: Release, contract: str, way: str
    ) -> OperatorRecord:
        """Return what a release says of its operator."""
        text = names.summary(self.draw, contract, way)
        return OperatorRecord(
            release=release,
            claimed_name=claimed,
            name=claimed.name,
            family=contract.partition(".")[0],
            contract=contract,
            variant=way,
            summary=text,
            license="MIT",
            created_at=release.created_at,
            metadata={
                "name": claimed.name,
                "contract": contract,
                "summary": text,
                "target": "made.up:operator",
                "devices": ["cpu", "cuda"],
                "dtypes": ["float32", "bfloat16"],
                "modes": ["infer", "train"],
            },
        )

    def runs(
        self,
        records: list[OperatorRecord],
        submissions: list[Submission],
        artifacts: list[Artifact],
        runners: list[Runner],
    ) -> None:
        """Make a run of every release on every machine; the newest of a plugin is in force."""
        last = f"1.{self.size.versions - 1}.0"
        made = [
            self.run(record, submission, artifact, runner, in_force=record.release.version == last)
            for record, submission, artifact in zip(records, submissions, artifacts, strict=True)
            for runner in runners
        ]
        runs = inserted(run for run, _ in made)
        passed = [
            (run, speedup)
            for run, (_, speedup) in zip(runs, made, strict=True)
            if run.outcome == "passed"
        ]
        inserted(score for run, speedup in passed for score in self.scores(run, speedup))
        inserted(
            lesson
            for run, _ in passed
            if run.superseded_at is None and teaches(run.contract)
            for lesson in self.lessons(run)
        )
        inserted(
            GateResult(run=run, position=position, name=name, outcome=run.outcome)
            for run in runs
            if run.superseded_at is None
            for position, name in enumerate(GATES)
        )

    def run(
        self,
        record: OperatorRecord,
        submission: Submission,
        artifact: Artifact,
        runner: Runner,
        *,
        in_force: bool,
    ) -> tuple[Run, float]:
        """Return a run and its speed-up; nine in ten pass."""
        speedup = self.draw.lognormvariate(0.15, 0.35)
        passed = self.draw.random() < 0.95
        at = submission.finished_at or self.now
        id_ = _digest(f"{artifact.sha256}{runner.name}")[:32]
        payload = self.payload(record.contract, runner.hardware_class, id_) if in_force else SLIM
        return Run(
            verdict_id=id_,
            submission=submission,
            operator=record,
            runner=runner,
            contract=record.contract,
            suite=f"{record.contract}/2026.1",
            device=runner.hardware_class.partition("/")[0],
            hardware_class=runner.hardware_class,
            outcome="passed" if passed else "failed",
            code="ACCEPTED" if passed else "REJECTED_ACCURACY",
            summary="Made up for a rehearsal.",
            official=True,
            superseded_at=None if in_force else at,
            payload=payload,
            payload_sha256=_digest(payload),
            signature="made up",
            key_id=runner.key_id,
            started_at=at,
            finished_at=at,
            recorded_at=at,
        ), speedup

    def payload(self, contract: str, place: str, id_: str) -> str:
        """Return one of the pool's verdicts under this id."""
        key = contract, place, self.draw.randrange(POOL)
        if key not in self.pool:
            self.pool[key] = verdict(
                self.draw,
                id="verdict-id",
                subject=Subject(
                    operator={"name": "made/up"},
                    distribution="made-up",
                    version="1",
                    sha256="0" * 64,
                ),
                contract=contract,
                place=place,
                speedup=1.2,
            ).to_json()
        return self.pool[key].replace("verdict-id", id_, 1)

    def scores(self, run: Run, speedup: float) -> Iterator[Score]:
        """Yield the places of a run."""
        for dtype, mode in PLACES[: self.size.places]:
            here = speedup * self.draw.uniform(0.9, 1.1)
            width = self.draw.uniform(1.005, 1.04)
            yield Score(
                run=run,
                dtype=dtype,
                mode=mode,
                speedup=here,
                ci_low=here / width,
                ci_high=here * width,
                coverage=1.0,
                restarts=7,
                decision="faster" if here / width > 1.05 else "not_faster",
                relative_l2=10 ** self.draw.uniform(-8, -1),
                error_share=self.draw.uniform(0.05, 0.95),
            )

    def lessons(self, run: Run) -> Iterator[Lesson]:
        """Yield what an optimizer learnt; one in ten never reaches the target."""
        for task, loss in TASKS.items():
            reaches = self.draw.random() < 0.9
            final = loss * self.draw.lognormvariate(0.0, 0.2)
            steps = self.draw.lognormvariate(4.5, 0.4)
            yield Lesson(
                run=run,
                task=task,
                starts=3,
                reached=3 if reaches else 0,
                **_interval("final_loss", final),
                **_interval("steps_to_target", steps if reaches else None),
                **_interval("ms_to_target", steps / 3 if reaches else None),
                state_share=float(self.draw.randrange(3)),
                retained=self.draw.uniform(0.9, 1.0) if reaches else 0.8,
            )


def _interval(name: str, mean: float | None) -> dict[str, float | None]:
    low, high = (None, None) if mean is None else (mean * 0.97, mean * 1.03)
    return {name: mean, f"{name}_low": low, f"{name}_high": high}


def inserted(rows: Iterable[Row]) -> list[Row]:
    """Insert rows, a few hundred at a time, and return them with their keys."""
    listed = list(rows)
    if listed:
        manager: Any = type(listed[0])._default_manager
        manager.bulk_create(listed, batch_size=500)
    return listed


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
