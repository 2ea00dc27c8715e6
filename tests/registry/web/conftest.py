"""A small hub with judged operators, made row by row, for pages to be drawn from."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import math
import os
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, sync_playwright

from dougong_ci.report.score import score_cases
from dougong_ci.report.verdict import (
    AccuracyRow,
    Gate,
    Histogram,
    Outcome,
    ParetoPoint,
    QualityRow,
    SpeedCase,
    Subject,
    Verdict,
)
from dougong_registry.audit.services import HUB, actor_of, record
from dougong_registry.boards.refresh import refresh
from dougong_registry.campaigns.models import Campaign
from dougong_registry.contributions.roles import affiliation_state, role_found, sponsor_add
from dougong_registry.contributions.services import contribution_record, contribution_void
from dougong_registry.fleet.models import Capability
from dougong_registry.forge.models import STEPS, Event, Head, Pull, Step
from dougong_registry.notices.models import Notice
from dougong_registry.people.models import Identity
from dougong_registry.plugins.models import (
    Artifact,
    OperatorName,
    OperatorRecord,
    Plugin,
    Provider,
    Release,
)
from dougong_registry.reruns.models import Rerun
from dougong_registry.runs.models import GateResult, Lesson, Run, Runner, Score
from dougong_registry.submissions.models import Job, JobEvent, Submission
from dougong_registry.suites.models import Retirement

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
HARDWARE = "cpu/Xeon-8481C/2c/avx512"
GATES = ("contract", "accuracy", "gradient", "laws", "determinism", "noise", "speed")


def times(
    random_: random.Random, median_us: float, restarts: int, rounds: int
) -> list[list[float]]:
    return [
        [median_us * math.exp(random_.gauss(0, 0.02)) for _ in range(rounds)]
        for _ in range(restarts)
    ]


def core_metadata(name: str, version: str, readme: str, requires: Sequence[str]) -> str:
    """Write METADATA as a wheel has it."""
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    return (
        f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nRequires-Python: >=3.11\n"
        f"{needs}Description-Content-Type: text/markdown\n\n{readme}"
    )


README = """# acme-rms

A root-mean-square norm in **one pass** over the row, after [Zhang and Sennrich][paper].

## Use

```python
plan = dougong.plan(model, {"norm.rms": "acme/fused-rms"})
plan.apply()
```

- float32 and bfloat16, forward and backward
- no padding: every row is read once

> Measured by the hub, not by us.

![Speed by row length](https://pictures.example.org/speed.png)

[paper]: https://arxiv.org/abs/1910.07467
"""


class Hub:
    """Builds what a page needs; every method returns the row it made."""

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.person = Identity.objects.create(external_id="1", login="ada")
        self.runner = Runner.objects.create(
            name="cpu-1", public_key="k", key_id="3f9a2c71", official=True
        )
        self.now = timezone.now()
        self._changed: set[int] | None = None

    def changed(self, operator_name_id: int) -> None:
        """Make what follows from an operator anew, now or at the end of `all_at_once`."""
        if self._changed is None:
            refresh(operator_name_id)
        else:
            self._changed.add(operator_name_id)

    @contextlib.contextmanager
    def all_at_once(self) -> Iterator[None]:
        """Make everything that follows from operators once, at the end."""
        self._changed = set()
        yield
        changed, self._changed = self._changed, None
        for operator_name_id in sorted(changed):
            refresh(operator_name_id)

    def submission(
        self,
        distribution: str,
        version: str = "0.1.0",
        *,
        state: str = "judged",
        age_s: float = 600,
        error: str = "",
        readme: str = "",
        requires: Sequence[str] = ("torch>=2.6",),
        published: bool = False,
    ) -> Submission:
        plugin, _ = Plugin.objects.get_or_create(
            canonical=distribution,
            defaults={"name": distribution, "confusable_key": distribution, "owner": self.person},
        )
        digest = hashlib.sha256(f"{distribution}{version}".encode()).hexdigest()
        metadata = core_metadata(distribution, version, readme, requires)
        artifact = Artifact.objects.create(
            sha256=digest,
            size_bytes=48_213,
            filename=f"{distribution.replace('-', '_')}-{version}-py3-none-any.whl",
            core_metadata=metadata,
            core_metadata_sha256=hashlib.sha256(metadata.encode()).hexdigest(),
        )
        release = Release.objects.create(
            plugin=plugin,
            version=version,
            artifact=artifact,
            license="Apache-2.0",
            requires_python=">=3.11",
            sealed_at=self.now if published else None,
            published_at=self.now if published else None,
        )
        at = self.now - dt.timedelta(seconds=age_s)
        over = state in {"judged", "failed"}
        return Submission.objects.create(
            release=release,
            submitter=self.person,
            sha256=digest,
            state=state,
            error=error,
            created_at=at,
            finished_at=at + dt.timedelta(seconds=83) if over else None,
        )

    def operator(
        self, submission: Submission, name: str, contract: str = "norm.rms@1", **fields: Any
    ) -> OperatorRecord:
        provider, _ = Provider.objects.get_or_create(
            name=name.partition("/")[0],
            defaults={"confusable_key": name.partition("/")[0], "owner": self.person},
        )
        claimed, _ = OperatorName.objects.get_or_create(
            name=name, defaults={"provider": provider, "plugin": submission.release.plugin}
        )
        metadata = {
            "name": name,
            "contract": contract,
            "target": "acme_rms.fused:rms_norm",
            "devices": ["cpu"],
            "dtypes": ["float32", "bfloat16"],
            "modes": ["infer", "train"],
            "gradients": "first",
            "compiles": "fullgraph",
            "claims": ["speedup >= 1.2 over torch on cpu"],
            **fields,
        }
        record = OperatorRecord.objects.create(
            release=submission.release,
            claimed_name=claimed,
            name=name,
            family=contract.partition(".")[0],
            contract=contract,
            variant=fields.get("variant", ""),
            summary=fields.get("summary", "Root-mean-square norm in one pass over the row."),
            paper=fields.get("paper", "arXiv:1910.07467"),
            license="Apache-2.0",
            metadata=metadata,
        )
        self.changed(claimed.pk)
        return record

    def run(
        self,
        submission: Submission,
        operator: OperatorRecord,
        *,
        speedup: float | None = 1.4,
        outcome: str = "passed",
        code: str = "ACCEPTED",
        summary: str = "Met its contract; faster than torch with certainty.",
        failed_gate: str = "",
        relative_l2: float = 2e-7,
        held_reason: str = "",
        hardware: str = HARDWARE,
        restarts: int = 7,
        rounds: int = 12,
        torch: str = "2.9.1",
        superseded: bool = False,
        age_s: float = 0,
    ) -> Run:
        verdict = self.verdict(
            operator, speedup, outcome, code, summary, failed_gate, relative_l2, restarts, rounds
        )
        verdict.fingerprint["torch"] = torch
        verdict.id = hashlib.sha256(f"{verdict.id}{torch}".encode()).hexdigest()[:32]
        payload = verdict.to_json()
        row = Run.objects.create(
            verdict_id=verdict.id,
            submission=submission,
            operator=operator,
            runner=self.runner,
            contract=operator.contract,
            suite=verdict.suite,
            device="cpu",
            hardware_class=hardware,
            torch_version=torch,
            judge_version=verdict.judge["version"],
            outcome=outcome,
            code=code,
            summary=summary,
            official=True,
            held_reason=held_reason,
            superseded_at=self.now if superseded else None,
            recorded_at=self.now - dt.timedelta(seconds=age_s),
            payload=payload,
            payload_sha256=hashlib.sha256(payload.encode()).hexdigest(),
            signature="kT5p0c1bTq0m9V1m3sJt7w==",
            key_id=self.runner.key_id,
            started_at=self.now - dt.timedelta(seconds=400),
            finished_at=self.now - dt.timedelta(seconds=340),
        )
        for score in score_cases(verdict.speed, seed=1):
            Score.objects.create(
                run=row, relative_l2=relative_l2, error_share=0.42, **dataclasses.asdict(score)
            )
        self.changed(operator.claimed_name_id)
        for position, gate in enumerate(verdict.gates):
            GateResult.objects.create(
                run=row,
                position=position,
                name=gate.name,
                outcome=gate.outcome,
                required=gate.required,
                summary=gate.summary,
                duration_s=gate.duration_s,
            )
        return row

    def verdict(
        self,
        operator: OperatorRecord,
        speedup: float | None,
        outcome: str,
        code: str,
        summary: str,
        failed_gate: str,
        relative_l2: float,
        restarts: int,
        rounds: int,
    ) -> Verdict:
        identity = hashlib.sha256(f"{operator.pk}{operator.name}".encode()).hexdigest()[:32]
        return Verdict(
            id=identity,
            subject=Subject(
                operator=operator.metadata,
                distribution=operator.release.plugin.name,
                version=operator.release.version,
                sha256=operator.release.artifact.sha256,
            ),
            contract=operator.contract,
            contract_digest=hashlib.sha256(operator.contract.encode()).hexdigest(),
            suite=f"{operator.contract}/2026.1",
            device="cpu",
            hardware_class=HARDWARE,
            outcome=Outcome(outcome),
            code=code,
            summary=summary,
            gates=list(self.gates(failed_gate, summary)),
            accuracy=self.accuracy(relative_l2, failed=failed_gate == "accuracy"),
            speed=self.speed(speedup, restarts, rounds) if speedup else [],
            scores=[],
            fingerprint={
                "cpu": "Intel Xeon Platinum 8481C",
                "cores": 2,
                "memory_gib": 15.6,
                "os": "Linux 6.1.0",
                "python": "3.11.7",
                "torch": "2.9.1",
                "threads": 1,
                "flags": {"deterministic": False, "avx512": True},
            },
            judge={
                "version": "0.1.0",
                "profile": "first",
                "seed": 8273645,
                "sandbox": "bubblewrap",
                "repeat": f"dougong judge {operator.name} --seed 8273645 --profile standard",
            },
            started_at="2026-11-24T00:00:00+00:00",
            finished_at="2026-11-24T00:01:00+00:00",
            claims=[{"claim": "speedup >= 1.2 over torch on cpu", "status": "proved"}],
            histograms=[
                Histogram(
                    dtype=dtype,
                    direction="forward",
                    ulp_edges=[0.5, 1.0, 4.0, 1024.0],
                    counts=[900, 80, 20, 0, 0],
                )
                for dtype in ("float32", "bfloat16")
            ],
            **(self.kept(relative_l2) if operator.contract.startswith("attention.approx") else {}),
        )

    def kept(self, error: float) -> dict[str, Any]:
        """Quality and Pareto points: what is kept falls and the speed rises with the length."""
        lengths = (512, 2048, 8192)
        shares = [1 - error * (step + 1) / 3 for step in range(len(lengths))]
        return {
            "quality": [
                QualityRow(
                    task=task,
                    params={"length": length},
                    metric="accuracy",
                    exact=0.98,
                    candidate=0.98 * share,
                    retained=share,
                    floor=0.5,
                    passed=True,
                )
                for task in ("recall", "copy")
                for length, share in zip(lengths, shares, strict=True)
            ],
            "pareto": [
                ParetoPoint(
                    length=length,
                    retained=share,
                    speedup=length / 1024,
                    baseline_us=float(length),
                    candidate_us=1024.0,
                    peak_memory_bytes=length * 4096,
                )
                for length, share in zip(lengths, shares, strict=True)
            ],
        }

    def gates(self, failed_gate: str, summary: str) -> Iterator[Gate]:
        found = {
            "contract": "loads in 0.3 s and takes the arguments of its contract",
            "accuracy": "128 of 128 checks within bound; nearest 42% of it",
            "gradient": "96 of 96 gradients within bound",
            "laws": "scale invariance, row independence, sign symmetry hold",
            "determinism": "bit-equal over 5 calls",
            "noise": "A/A copy within 0.8% of the baseline",
            "speed": "faster on 6 of 6 cases",
        }
        reached = False
        for name in GATES:
            outcome = Outcome.SKIPPED if reached else Outcome.PASSED
            said = f"skipped: {failed_gate} failed" if reached else found[name]
            if name == failed_gate:
                outcome, said, reached = Outcome.FAILED, summary, True
            yield Gate(
                name=name,
                outcome=outcome,
                summary=said,
                duration_s=0.0 if outcome is Outcome.SKIPPED else 0.4 + self.random.random() * 9,
            )

    def accuracy(self, relative_l2: float, *, failed: bool) -> list[AccuracyRow]:
        rows = []
        for workload, rows_, columns in (
            ("llama-7b-prefill", 128, 4096),
            ("odd-sizes", 7, 1023),
            ("one-row", 1, 768),
            ("tiny-values", 64, 512),
            ("large-values", 64, 512),
            ("transposed", 96, 640),
        ):
            for dtype in ("float32", "bfloat16"):
                for direction in ("forward", "backward:x", "backward:weight"):
                    bound = 1e-6 if dtype == "float32" else 8e-3
                    share = 0.08 + self.random.random() * 0.5
                    bad = failed and workload == "large-values" and direction == "forward"
                    share = 40.0 if bad else share
                    rows.append(
                        AccuracyRow(
                            workload=workload,
                            params={"T": rows_, "D": columns, "eps": 1e-6},
                            dtype=dtype,
                            direction=direction,
                            max_error=share * bound,
                            rms_error=share * bound / 5,
                            native_max_error=bound * 0.4,
                            native_rms_error=bound * 0.1,
                            bound=bound,
                            relative_l2=relative_l2,
                            passed=share <= 1,
                            hidden=workload == "odd-sizes",
                            reason="" if share <= 1 else "max error 40 times its bound",
                        )
                    )
        return rows

    def speed(self, speedup: float, restarts: int, rounds: int) -> list[SpeedCase]:
        cases = []
        for workload, rows_, columns, base_us in (
            ("llama-7b-decode", 1, 4096, 14.0),
            ("llama-7b-prefill", 128, 4096, 612.0),
            ("bert-base", 512, 768, 540.0),
        ):
            for dtype in ("float32", "bfloat16"):
                gain = speedup * math.exp(self.random.gauss(0, 0.08))
                cases.append(
                    SpeedCase(
                        workload=workload,
                        params={"T": rows_, "D": columns},
                        dtype=dtype,
                        mode="infer",
                        weight=1.0,
                        baseline="torch",
                        baseline_us=times(self.random, base_us, restarts, rounds),
                        candidate_us=times(self.random, base_us / gain, restarts, rounds),
                        control_us=times(self.random, base_us * 1.004, restarts, rounds),
                        floor_us=base_us / 8,
                        cpu_share=[0.981] * restarts,
                        waiting_share=[0.002] * restarts,
                        peak_bytes=[212_000_000] * restarts,
                        baseline_peak_bytes=[198_000_000] * restarts,
                    )
                )
        return cases

    def retry(self, submission: Submission, *operators: str, in_s: float) -> Job:
        """Have operators judged again, as after a judgement on a busy machine."""
        Job.objects.create(submission=submission, nonce=f"done-{submission.pk}", state="done")
        return Job.objects.create(
            submission=submission,
            nonce=f"retry-{submission.pk}",
            operators=list(operators),
            retry=1,
            cause="retry",
            not_before=self.now + dt.timedelta(seconds=in_s),
            reason="the machine was busy",
        )

    def events(
        self, submission: Submission, said: Sequence[tuple[str, str, str, str, str]]
    ) -> None:
        """Append (kind, operator, gate, outcome, message) as a worker would."""
        over = submission.finished_at is not None
        job, _ = Job.objects.get_or_create(
            submission=submission,
            defaults={
                "nonce": f"nonce-{submission.pk}",
                "state": "done" if over else "leased",
                "attempts": 1,
                "lease_expires_at": None if over else self.now + dt.timedelta(seconds=60),
            },
        )
        start = JobEvent.objects.filter(submission=submission).count()
        for index, (kind, operator, gate, outcome, message) in enumerate(said):
            JobEvent.objects.create(
                submission=submission,
                job=job,
                attempt=1,
                seq=start + index + 1,
                at=submission.created_at + dt.timedelta(seconds=2 * (start + index)),
                kind=kind,
                operator=operator,
                gate=gate,
                outcome=outcome,
                message=message,
            )

    def pulls(self, submission: Submission) -> None:
        """Three pull requests: one waits for approvals, one was stopped, one waits for a look."""
        for number, (state, last, outcome, said) in enumerate(
            (
                ("review", "review", "running", "L2: still needed: 1 of 2 approvals"),
                ("rejected", "lint", "failed", "contrib/other/ is another plugin's folder"),
                ("blocked", "unblock", "blocked", "A reviewer must look first"),
            ),
            start=1,
        ):
            pull = Pull.objects.create(
                repository_id=1,
                number=number,
                author_id=5,
                author_login="ada",
                forge_updated_at=self.now,
            )
            old = Head.objects.create(
                pull=pull, sha=f"{number}0" * 20, state="superseded", reason="superseded"
            )
            head = Head.objects.create(
                pull=pull,
                sha=f"{number}1" * 20,
                state=state,
                reason=said if outcome == "failed" else "",
                plugin="acme-rms",
                level="L2",
                unblock=["new plugin"],
                submission=submission if state == "review" else None,
            )
            for name in STEPS[: STEPS.index(last)]:
                Step.objects.create(head=head, name=name, outcome="passed", title="nothing found")
            line = {"path": "contrib/other/a.py", "line": 1, "title": "scope", "message": said}
            Step.objects.create(
                head=head,
                name=last,
                outcome=outcome,
                title=said,
                annotations=[line] if outcome == "failed" else [],
            )
            for each, login in ((old, "mia"), (head, "ben")):
                Event.objects.create(
                    pull=pull,
                    head=each,
                    kind="approved",
                    actor_id=each.pk,
                    source=f"review:{each.pk}",
                    detail={"login": login},
                )

    def upkeep(self, before: Run, after: Run, leader: Run) -> None:
        """A newer torch on the machine, and all that comes of that; a suite that is retired."""
        Capability.objects.create(
            runner=self.runner,
            hardware={"cpu": HARDWARE},
            torch_version="2.10.0",
            judge_version="0.1.0",
            suite_version="2026.1",
            seen_at=self.now,
        )
        on = {"hardware_class": HARDWARE}
        Campaign.objects.create(
            reason="torch",
            from_versions="2.9.1",
            to_version="2.10.0",
            because="machines of this kind now have torch 2.10.0",
            total=9,
            done=2,
            **on,
        )
        name = before.operator.claimed_name
        Notice.objects.create(
            plugin=name.plugin,
            operator_name=name,
            suite=before.suite,
            device="cpu",
            dtype="float32",
            mode="infer",
            from_run=before,
            to_run=after,
            words="1.31x [1.29, 1.33] before, 1.24x [1.22, 1.26] now (float32 infer)",
            **on,
        )
        Rerun.objects.create(cause="first_place", first=leader)
        Retirement.objects.create(
            suite="attention.approx@1/2026.1", retires_on=dt.date(2026, 1, 1), reason="saturated"
        )


def contribute(hub: Hub, submission: Submission) -> None:
    """Record half a year of work: a maintainer, a change under review, a revert."""
    mia, ben = (Identity.objects.create(external_id=name, login=name) for name in ("mia", "ben"))
    role_found(person=mia, reason="wrote the first operators")
    affiliation_state(person=mia, name="Acme")
    shown = [{"kind": "url", "id": "https://example.org/pull/12"}]
    plugin = submission.release.plugin
    for days in (150, 90, 40, 3):
        merged = hub.now - dt.timedelta(days=days)
        opened, thread = merged - dt.timedelta(days=2), f"forge:{days}"
        contribution_record(
            person=ben,
            kind="review",
            about=hub.person,
            source=f"{thread} review",
            occurred_at=opened + dt.timedelta(hours=days / 10),
            evidence=shown,
            thread=thread,
        )
        change, _ = contribution_record(
            person=hub.person,
            kind="change",
            level="L1",
            decided_by=mia if days > 3 else None,
            source=f"{thread} merged",
            occurred_at=merged,
            opened_at=opened,
            evidence=[*shown, {"kind": "submission", "id": str(submission.pk)}],
            plugin=plugin,
            summary=f"Odd rows are read once, {days}.",
            thread=thread,
        )
    contribution_void(contribution_id=change.pk, by=mia, reason="reverted: slower on AVX2")
    sponsor_add(person=hub.person, sponsor=mia, role="member", reason="careful work")


def furnish(hub: Hub) -> None:
    """Fill the hub as after its first days: boards of two kinds, a queue, a refusal."""
    first = hub.submission("dougong-plugins", "0.1.0", age_s=7200, published=True)
    for name, speedup in (("torch-rms", 1.0), ("rms-fused", 1.83), ("rms-foreach", 0.72)):
        operator = hub.operator(first, f"dougong/{name}")
        hub.run(first, operator, speedup=speedup)
    for name, speedup, error in (
        ("sparse-topk", 2.3, 0.03),
        ("linear", 6.1, 0.42),
        ("sliding-window", 3.2, 0.21),
        ("low-rank", 1.7, 0.05),
    ):
        operator = hub.operator(
            first,
            f"dougong/{name}",
            "attention.approx@1",
            summary="Attention that reads part of the keys.",
            paper="arXiv:2006.16236",
        )
        hub.run(first, operator, speedup=speedup, relative_l2=error)
    needs = ["torch>=2.6", "numpy>=1.26"]
    old = hub.submission("acme-rms", "1.1.0", age_s=90_000, requires=["torch>=2.5", "einops"])
    early = hub.operator(old, "acme/fused-rms")
    before, after = (
        hub.run(old, early, speedup=speedup, torch=torch, superseded=True, age_s=days * 86_400)
        for torch, speedup, days in (("2.8.0", 1.31, 40), ("2.9.1", 1.24, 12))
    )
    acme = hub.submission(
        "acme-rms", "1.2.0", age_s=3000, readme=README, requires=needs, published=True
    )
    fused = hub.operator(acme, "acme/fused-rms", upstream="https://example.org/acme")
    leader = hub.run(acme, fused, speedup=1.78)
    hub.upkeep(before, after, leader)
    hub.pulls(acme)
    wrong = hub.operator(acme, "acme/fast-but-wrong")
    hub.run(
        acme,
        wrong,
        speedup=None,
        outcome="failed",
        code="REJECTED_ACCURACY",
        summary="large-values, float32, forward: max error 4.0e-05 is 40 times its bound 1.0e-06",
        failed_gate="accuracy",
    )
    hub.retry(acme, "acme/fused-rms", in_s=1200)
    record(actor=actor_of(hub.person), verb="release.submitted", target="acme-rms 1.2.0")
    record(actor=HUB, verb="release.published", target="acme-rms 1.2.0")
    record(
        actor=actor_of(hub.person),
        verb="release.yanked",
        target="old-norms 0.1",
        reason="wrong for odd rows",
    )
    hub.submission(
        "broken-plugin", state="failed", age_s=900, error="entry point dougong raises ImportError"
    )
    live = hub.submission("zen-norms", "0.3.1", state="judging", age_s=24)
    hub.operator(live, "zen/rms")
    hub.operator(live, "zen/layer", "norm.layer@1")
    hub.events(
        live,
        [
            ("queued", "", "", "", ""),
            ("claimed", "", "", "", "runner cpu-1"),
            ("discovered", "", "", "", "2 operators: zen/rms, zen/layer"),
            ("gate_started", "zen/rms", "contract", "", ""),
            ("gate_finished", "zen/rms", "contract", "passed", "loads in 0.3 s"),
            ("gate_started", "zen/rms", "accuracy", "", ""),
            ("gate_finished", "zen/rms", "accuracy", "passed", "128 of 128 checks within bound"),
            ("gate_started", "zen/rms", "gradient", "", ""),
        ],
    )


@pytest.fixture(autouse=True)
def _plain_static(settings: Any, tmp_path: Path) -> None:
    # The hashed manifest and its folder exist only after collectstatic.
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture
def hub(db: None) -> Hub:
    """An empty hub with one person and one runner."""
    return Hub()


@pytest.fixture
def furnished(hub: Hub) -> Hub:
    """A hub with boards, a queue and a refusal."""
    with hub.all_at_once():
        furnish(hub)
    return hub


@pytest.fixture
def peopled(furnished: Hub) -> Hub:
    """A furnished hub whose people are known for what they did."""
    contribute(furnished, Submission.objects.get(release__version="1.2.0"))
    return furnished


def school(hub: Hub) -> None:
    """Judge three optimizers by what they train; one of them never reaches the target."""
    shown = hub.submission("acme-steps", "0.4.0", age_s=5000, published=True)
    for name, loss, steps in (("lion", 2.41, 52.0), ("muon", 2.18, 31.0), ("sign", 2.97, None)):
        operator = hub.operator(
            shown, f"acme/{name}", "optimizer.train@1", variant=name.title(), summary="Steps."
        )
        run = hub.run(shown, operator, speedup=None)
        for task, size in (("digits", 0.05), ("text", 1.0)):
            Lesson.objects.create(
                run=run,
                task=task,
                starts=3,
                reached=3 if steps else 0,
                final_loss=size * loss,
                final_loss_low=size * loss * 0.98,
                final_loss_high=size * loss * 1.02,
                steps_to_target=steps,
                ms_to_target=steps,
                state_share=1.0,
                retained=0.97 if steps else 0.7,
            )


@pytest.fixture
def schooled(peopled: Hub) -> Hub:
    """A peopled hub with optimizers that were trained."""
    school(peopled)
    return peopled


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no Chromium on PATH")
    # Playwright keeps an event loop in this thread; the database calls of a test are still its own.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()
