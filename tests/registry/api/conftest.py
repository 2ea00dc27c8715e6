"""A hub met over HTTP only: wheels made here, a submitter's token, a runner that signs."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import io
import json
import random
import time
import uuid
import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from dougong_ci.report import signing
from dougong_ci.report.score import score_cases
from dougong_ci.report.verdict import AccuracyRow, Gate, Outcome, SpeedCase, Subject, Verdict
from dougong_registry.campaigns.models import Campaign, Order
from dougong_registry.forge.models import Build, Delivery, Event, Head, Provenance, Pull, Step
from dougong_registry.notices.models import Notice
from dougong_registry.people.services import token_create, token_issue
from dougong_registry.publishing.models import Exchange
from dougong_registry.publishing.services import publisher_add
from dougong_registry.reruns.models import Draw, Rerun
from dougong_registry.runs.models import Run
from dougong_registry.runs.services import runner_register
from dougong_registry.submissions import dispatch
from dougong_registry.submissions.models import Job
from dougong_registry.suites.models import Retirement

SEED = 7
GATES = ("build", "contract", "accuracy", "edges", "laws", "noise", "speed")


def operator(name: str = "acme/rms") -> dict[str, Any]:
    """Metadata as a judge discovers it."""
    return {
        "name": name,
        "contract": "norm.rms@1",
        "target": "acme_rms:rms",
        "summary": "One pass.",
        "devices": ["cpu"],
        "dtypes": ["float32"],
        "gradients": "none",
        "paper": "arXiv:1910.07467",
    }


def speed_case(
    faster: float,
    *,
    restarts: int = 5,
    rounds: int = 9,
    mode: str = "infer",
    dtype: str = "float32",
    workload: str = "llama",
) -> SpeedCase:
    """Raw times of one workload, the same noise on both sides."""
    noise = random.Random(SEED)
    times = [[100 * noise.uniform(0.99, 1.01) for _ in range(rounds)] for _ in range(restarts)]
    return SpeedCase(
        workload=workload,
        params={"D": 64},
        dtype=dtype,
        mode=mode,
        weight=1.0,
        baseline="torch",
        baseline_us=times,
        candidate_us=[[value / faster for value in restart] for restart in times],
        control_us=times,
        floor_us=1.0,
    )


def verdict_of(
    job: Job,
    name: str = "acme/rms",
    *,
    cases: list[SpeedCase] | None = None,
    outcome: str = "passed",
    code: str = "ACCEPTED",
) -> Verdict:
    """What a judge would say of one operator of a job: 1.5 times as fast, unless told otherwise."""
    now = dt.datetime.now(dt.UTC).isoformat()
    cases = [speed_case(1.5)] if cases is None else cases
    found = {"speed": Outcome.PASSED if outcome == "passed" else Outcome(outcome)}
    row = AccuracyRow(
        workload="small",
        params={},
        dtype="float32",
        direction="forward",
        max_error=1e-7,
        rms_error=1e-8,
        native_max_error=1e-7,
        native_rms_error=1e-8,
        bound=1e-6,
        relative_l2=1e-7,
        passed=True,
    )
    return Verdict(
        id=str(uuid.uuid4()),
        subject=Subject(
            operator=operator(name),
            distribution="acme-rms",
            version="1.0",
            sha256=job.submission.sha256,
        ),
        contract="norm.rms@1",
        contract_digest="0" * 64,
        suite="norm.rms@1/2026.1",
        device="cpu",
        hardware_class="cpu-test",
        outcome=Outcome(outcome),
        code=code,
        summary="1.5x",
        gates=[
            Gate(name=gate, outcome=found.get(gate, Outcome.PASSED), summary="", duration_s=0.1)
            for gate in GATES
        ],
        accuracy=[row],
        speed=cases,
        scores=score_cases(cases, SEED),
        fingerprint={"cpu": "test"},
        judge={"version": "1", "profile": "first", "seed": SEED, "fit_for_board": True},
        started_at=now,
        finished_at=now,
    )


def recorded(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
    return f"sha256={digest.decode()},{len(text.encode())}"


def wheel_bytes(
    name: str = "acme-rms", version: str = "1.0", *, leave_out: str = "", **files: str
) -> bytes:
    stem = f"{name.replace('-', '_')}-{version}"
    contents = {
        f"{name.replace('-', '_')}.py": "def rms(x): return x\n",
        f"{stem}.dist-info/METADATA": (
            f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: MIT\n"
        ),
        f"{stem}.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        f"{stem}.dist-info/entry_points.txt": f"[dougong]\n{name} = {name.replace('-', '_')}\n",
        **files,
    }
    rows = [f"{path},{recorded(text)}" for path, text in contents.items()]
    contents[f"{stem}.dist-info/RECORD"] = "\n".join([*rows, f"{stem}.dist-info/RECORD,,", ""])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in contents.items():
            if not leave_out or not path.endswith(leave_out):
                archive.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


class Submitter:
    """Somebody with a token."""

    def __init__(self, login: str) -> None:
        self.client = Client()
        self.token = token_create(login=login)

    def submit(
        self, data: bytes | None = None, filename: str = "acme_rms-1.0-py3-none-any.whl"
    ) -> HttpResponse:
        upload = SimpleUploadedFile(filename, wheel_bytes() if data is None else data)
        return self.client.post(
            "/api/v1/submissions",
            {"wheel": upload},
            headers={"Authorization": f"Bearer {self.token}"},
        )


class SigningRunner:
    """A worker's end of the API, with a key of its own."""

    def __init__(self, name: str, *, known: bool = True) -> None:
        self.client = Client()
        self.private, self.public = signing.generate()
        if known:
            runner_register(name=name, public_key=self.public, official=True)

    def post(self, path: str, body: dict[str, Any], **changed: str) -> HttpResponse:
        data = json.dumps(body).encode()
        signed = signing.request_headers("POST", path, int(time.time()), data, self.private)
        headers = {**signed, **changed}
        return self.client.post(path, data, content_type="application/json", headers=headers)

    def claim(self, job: Job) -> HttpResponse:
        return self.post(f"/api/v1/jobs/{job.pk}/claim", {"nonce": job.nonce})

    def tell(self, job: Job, *events: dict[str, Any]) -> HttpResponse:
        body = {"nonce": job.nonce, "events": list(events)}
        return self.post(f"/api/v1/jobs/{job.pk}/events", body)

    def discover(self, job: Job, *names: str) -> HttpResponse:
        found = [operator(name) for name in names or ("acme/rms",)]
        return self.tell(job, {"kind": "discovered", "operators": found})

    def send(self, job: Job, verdict: Verdict) -> HttpResponse:
        return self.record(job, dict(signing.seal(verdict, self.private)))

    def complete(self, job: Job, outcome: str = "judged", reason: str = "") -> HttpResponse:
        body = {"nonce": job.nonce, "outcome": outcome, "reason": reason}
        return self.post(f"/api/v1/jobs/{job.pk}/complete", body)

    def record(self, job: Job, envelope: dict[str, Any]) -> HttpResponse:
        body = {"nonce": job.nonce, "envelope": envelope}
        return self.post(f"/api/v1/jobs/{job.pk}/runs", body)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path, db):
    """Artifacts in a folder of the test's own; there is no broker."""
    settings.DOUGONG_HOME = tmp_path
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    # The hashed manifest exists only after collectstatic; pages are looked at here too.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    return tmp_path


@pytest.fixture
def ada() -> Submitter:
    return Submitter("ada")


@pytest.fixture
def runner() -> SigningRunner:
    return SigningRunner("cpu-1")


@pytest.fixture
def job(ada: Submitter) -> Job:
    submission = ada.submit().json()["id"]
    return Job.objects.get(submission_id=submission)


@pytest.fixture
def pull(job: Job) -> Pull:
    """A pull request whose head is the submission of `job`, with a row in each of its tables."""
    body = {"delivery_id": "1", "body_sha256": "a" * 64, "event": "ping", "outcome": "ignored"}
    Delivery.objects.create(**body)
    pull = Pull.objects.create(
        repository_id=1,
        number=1,
        author_id=2,
        author_login="eve",
        forge_updated_at=dt.datetime.now(dt.UTC),
    )
    submission = job.submission
    head = Head.objects.create(pull=pull, sha="c" * 40, state="judging", submission=submission)
    Step.objects.create(head=head, name="lint", title="nothing found")
    Build.objects.create(head=head, purpose="judge", tree="d" * 40, nonce="nonce")
    Event.objects.create(pull=pull, head=head, kind="merged", source="merged")
    Provenance.objects.create(release=submission.release, payload="{}", signature="s", key_id="k")
    return pull


@pytest.fixture
def exchanged(job: Job) -> Exchange:
    """A CI job of a publisher that is trusted with `acme-rms`, and was given a token."""
    ids = {"repository_id": 1, "repository_owner_id": 2}
    publisher = publisher_add(plugin="acme-rms", workflow="release.yml", **ids)
    lasts = dt.timedelta(minutes=15)
    token, _ = token_issue(
        identity=publisher.plugin.owner, scope="upload:plugin/acme-rms", lasts=lasts
    )
    return Exchange.objects.create(
        issuer="https://example.org",
        jti="1",
        expires_at=timezone.now() + lasts,
        publisher=publisher,
        token=token,
    )


@pytest.fixture
def publish(ada, runner):
    """Publish a version of acme-rms, judged with an outcome."""

    def _publish(
        version: str = "1.0", *, outcome: str = "passed", code: str = "ACCEPTED", **files: str
    ) -> Job:
        name = f"acme_rms-{version}-py3-none-any.whl"
        answer = ada.submit(wheel_bytes(version=version, **files), name).json()
        job = Job.objects.get(submission_id=answer["id"])
        runner.claim(job)
        runner.discover(job)
        verdict = verdict_of(job, outcome=outcome, code=code)
        verdict.subject.version = version
        assert runner.send(job, verdict).status_code == 201
        assert runner.complete(job).status_code == 200
        return job

    return _publish


@pytest.fixture
def judge_again(runner):
    """Judge an order that is there, by what is named: 1.5 times as fast unless told otherwise."""

    def _judge(
        job: Job,
        *,
        torch: str = "2.9.1",
        faster: float = 1.5,
        suite: str = "norm.rms@1/2026.1",
        version: str = "1.0",
        **more: str,
    ) -> Run:
        # Seven restarts: enough to decide, so that no retry is due.
        verdict = verdict_of(job, cases=[speed_case(faster, restarts=7)], **more)
        verdict.fingerprint["torch"], verdict.suite = torch, suite
        verdict.subject.version = version
        assert runner.claim(job).status_code == 200
        assert runner.discover(job).status_code == 200
        assert runner.send(job, verdict).status_code == 201
        assert runner.complete(job).status_code == 200
        return Run.objects.get(verdict_id=verdict.id)

    return _judge


@pytest.fixture
def judged(ada, judge_again):
    """Submit a version of acme-rms and have it judged; return its run."""

    def _judged(version: str = "1.0", **by: Any) -> Run:
        name = f"acme_rms-{version}-py3-none-any.whl"
        answer = ada.submit(wheel_bytes(version=version), name).json()
        return judge_again(Job.objects.get(submission=answer["id"]), version=version, **by)

    return _judged


@pytest.fixture
def beat():
    """Have a runner say what it has: one CPU of the class that verdicts here are of."""

    def _beat(runner: SigningRunner, **more: str) -> None:
        said = {"judge_version": "1", "suite_version": "2026.1", "hardware": {"cpu": "cpu-test"}}
        answer = runner.post("/api/v1/runners/heartbeat", {**said, **more})
        assert answer.status_code == 200, answer.content

    return _beat


@pytest.fixture
def upkeep():
    """Make a row in each table of what keeps boards true, about a copy of the newest run."""

    def _upkeep(job: Job) -> Run:
        now, digest = timezone.now(), "e" * 64
        before = Run.objects.latest("pk")
        Run.objects.filter(pk=before.pk).update(superseded_at=now)
        run = Run.objects.get(pk=before.pk)
        run.pk, run._state.adding, run.superseded_at = None, True, None
        run.verdict_id = "copy"
        run.save(force_insert=True)
        name, on = run.operator.claimed_name, {"hardware_class": run.hardware_class}
        Retirement.objects.create(suite=run.suite, retires_on=now.date(), reason="why")
        campaign = Campaign.objects.create(reason="asked", because="why", **on)
        Order.objects.create(campaign=campaign, run=run, job=job)
        fixed = {"population": 1, "population_sha256": digest, "share": 0.02}
        draw = Draw.objects.create(week="2026-W48", cutoff=now, seed=digest, **fixed)
        Rerun.objects.create(cause="sample", draw=draw, first=run)
        of = {"plugin": name.plugin, "operator_name": name, "suite": run.suite, **on}
        board = {"device": run.device, "dtype": "float32", "mode": "infer"}
        Notice.objects.create(from_run=before, to_run=run, words="slower", **of, **board)
        return run

    return _upkeep


@pytest.fixture
def wheel_of():
    return wheel_bytes


@pytest.fixture(name="verdict_of")
def _verdict_of():
    return verdict_of


@pytest.fixture(name="speed_case")
def _speed_case():
    return speed_case


@pytest.fixture
def another_submitter() -> type[Submitter]:
    return Submitter


@pytest.fixture
def another_runner() -> type[SigningRunner]:
    return SigningRunner


@pytest.fixture
def broker(monkeypatch):
    """Take every job that is sent, and remember which."""
    sent = []

    def take(job_id):
        Job.objects.filter(pk=job_id).update(dispatched_at=timezone.now())
        sent.append(job_id)
        return True

    monkeypatch.setattr(dispatch, "job_dispatch", take)
    return sent
