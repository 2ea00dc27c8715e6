"""A program: kill a hub at every moment of a submission's life, let it recover, check what is true.

    python life.py HOME EVERY [OPERATION ...]

A moment is each SQL statement (before), each commit (before and after), each step of the store
(before) and each message to the broker (before and after). For every EVERY-th moment of an
operation a child process runs a submission's life up to that operation, begins it, and is ended
there by SIGKILL. Another child then does what clients, workers and the clock do: repeat what was
not answered, let leases run out, sweep, take messages. At last it looks at every row.

Prints one JSON object: operation -> {"moments", "killed", "problems"}.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
import json
import os
import pathlib
import signal
import sys
import traceback
import uuid
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dougong_registry.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, connections  # noqa: E402
from django.db.backends.base.base import BaseDatabaseWrapper  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from dougong_ci.report import signing  # noqa: E402
from dougong_registry import celery  # noqa: E402
from dougong_registry.audit.models import Entry  # noqa: E402
from dougong_registry.audit.services import verify  # noqa: E402
from dougong_registry.fleet.models import Capability  # noqa: E402
from dougong_registry.guards.install import install, lift  # noqa: E402
from dougong_registry.people.services import token_create  # noqa: E402
from dougong_registry.plugins import store  # noqa: E402
from dougong_registry.plugins.models import Artifact, Plugin, Release  # noqa: E402
from dougong_registry.runs.models import Run, Runner  # noqa: E402
from dougong_registry.runs.services import runner_register  # noqa: E402
from dougong_registry.submissions.models import Job, JobEvent, Submission  # noqa: E402
from dougong_registry.submissions.tasks import jobs_requeue_expired as sweep  # noqa: E402

_spec = importlib.util.spec_from_file_location(
    "api_conftest", Path(__file__).parents[1] / "api" / "conftest.py"
)
made_of = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(made_of)

LONG_AGO = "2026-01-01T00:00:00+00:00"


class Killer:
    """Ends this process with SIGKILL at a moment; without one, counts the moments."""

    def __init__(self) -> None:
        self.count = 0
        self.at = 0
        self.armed = False

    def moment(self) -> None:
        if self.armed:
            self.count += 1
            if self.count == self.at:
                os.kill(os.getpid(), signal.SIGKILL)

    def statement(self, execute, sql, params, many, context):
        self.moment()
        return execute(sql, params, many, context)

    def around(self, owner, name, *, after=True):
        """Make a moment before, and after, each call of a function."""
        original = getattr(owner, name)

        def call(*args, **kwargs):
            self.moment()
            answer = original(*args, **kwargs)
            if after:
                self.moment()
            return answer

        setattr(owner, name, call)

    def install(self):
        self.around(BaseDatabaseWrapper, "_commit")
        self.around(os, "fsync", after=False)
        self.around(pathlib.Path, "replace")
        self.around(pathlib.Path, "unlink", after=False)
        self.around(celery.app, "send_task")


class Life:
    """One submission with its submitter and its runner; everything by HTTP, as from outside."""

    def __init__(self, secrets, name):
        self.secrets = secrets
        self.name = name
        self.client = Client(raise_request_exception=False)
        self.data = made_of.wheel_bytes(name)
        self.filename = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
        self.operator = f"acme/{name}"

    # what each side does

    def submit(self):
        upload = made_of.SimpleUploadedFile(self.filename, self.data)
        answer = self.client.post("/api/v1/submissions", {"wheel": upload}, headers=self._bearer())
        assert answer.status_code in (200, 201), answer.content
        return answer

    def cancel(self):
        path = f"/api/v1/submissions/{self.job.submission_id}/cancel"
        return self.client.post(path, headers=self._bearer())

    def heartbeat(self):
        return self._signed("/api/v1/runners/heartbeat", {"hardware": {"cpu": "cpu-test"}})

    def claim(self):
        return self._job("claim")

    def discover(self):
        found = [made_of.operator(self.operator)]
        return self._job("events", events=[{"kind": "discovered", "operators": found}])

    def gates(self):
        events = [
            {"kind": kind, "operator": self.operator, "gate": gate, "outcome": "passed"}
            for gate in made_of.GATES
            for kind in ("gate_started", "gate_finished")
        ]
        return self._job("events", events=events)

    def run(self):
        verdict = made_of.verdict_of(
            self.job, self.operator, cases=[made_of.speed_case(1.5, restarts=7)]
        )
        verdict.id = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.name} {self.job.nonce}"))
        verdict.subject.distribution = self.name
        verdict.started_at = verdict.finished_at = LONG_AGO
        return self._job("runs", envelope=dict(signing.seal(verdict, self.secrets["key"])))

    def complete(self):
        return self._job("complete", outcome="judged")

    def hand_back(self):
        return self._job("hand-back")

    def expire(self):
        """The lease runs out, and the clock ticks."""
        Job.objects.filter(pk=self.job.pk, state="leased").update(lease_expires_at=long_ago())
        sweep()

    def lost(self):
        """The message to the broker was lost, an hour ago."""
        lift(connection)
        Job.objects.filter(pk=self.job.pk, state="queued").update(
            dispatched_at=long_ago(), created_at=long_ago()
        )
        install(connection)

    def sweep(self):
        """The clock ticks."""
        sweep()

    def publish_page(self):
        return self.client.get(f"/simple/{self.name}/", headers={"Accept": "text/html"})

    @property
    def job(self):
        return Job.objects.select_related("submission").get(
            submission__release__plugin__name=self.name, retry=0
        )

    def _bearer(self):
        return {"Authorization": f"Bearer {self.secrets['token']}"}

    def _job(self, what, **body):
        return self._signed(f"/api/v1/jobs/{self.job.pk}/{what}", {"nonce": self.job.nonce, **body})

    def _signed(self, path, body):
        data = json.dumps(body).encode()
        now = int(timezone.now().timestamp())
        headers = signing.request_headers("POST", path, now, data, self.secrets["key"])
        return self.client.post(path, data, content_type="application/json", headers=headers)


ORDER = ("heartbeat", "submit", "lost", "sweep", "claim", "discover", "gates", "run", "complete")
BEFORE = {
    **{name: ORDER[:place] for place, name in enumerate(ORDER) if name != "lost"},
    "expire": ORDER[: ORDER.index("run")],
    "hand_back": ORDER[: ORDER.index("run")],
    "cancel": ORDER[: ORDER.index("gates")],
}


def long_ago():
    return timezone.now() - dt.timedelta(hours=1)


def good(answer):
    assert answer is None or answer.status_code in (200, 201), answer.content


def forked(work):
    """Run `work` in a child; return what it returned, or None where it was killed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        try:
            answer = {"value": work()}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        with os.fdopen(writer, "w") as pipe:
            pipe.write(json.dumps(answer))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    answer = json.loads(text)
    if "error" in answer:
        raise AssertionError(answer["error"])
    return answer["value"]


def begin(secrets, name, operation, at):
    """Live up to an operation, and die in it; return how many moments it has if it lives on."""
    life, killer = Life(secrets, name), Killer()
    for step in BEFORE[operation]:
        good(getattr(life, step)())
    if operation == "heartbeat":
        # A machine that was never seen gives the most to do, and always the same.
        Capability.objects.all().delete()
        Runner.objects.update(last_seen_at=None)
    killer.install()
    with connection.execute_wrapper(killer.statement):
        killer.at, killer.armed = at, True
        good(getattr(life, operation)())
        killer.armed = False
    return killer.count


def recover(secrets, name, operation):
    """Do what the others do after a crash, to the end of the submission; return what is untrue."""
    life = Life(secrets, name)
    problems = list(untrue_now(life))
    cancelled = operation == "cancel"
    good(life.heartbeat())
    life.submit()  # not answered, so sent again; answered, the same is the same
    if cancelled:
        assert life.cancel().status_code in (200, 409)
    else:
        # The worker repeats what was not answered; what is not its own any more, it drops.
        if operation in ORDER and operation not in ("submit", "heartbeat", "sweep"):
            for step in ORDER[ORDER.index(operation) :]:
                getattr(life, step)()
        for _ in range(3):
            if life.job.state in ("done", "failed"):
                break
            life.expire()
            life.lost()
            life.sweep()
            for step in ORDER[ORDER.index("claim") :]:
                getattr(life, step)()
    return [*problems, *untrue_now(life), *untrue_at_last(life, cancelled=cancelled)]


def untrue_now(life):
    """Yield what must be true at any moment, and is not."""
    release = Release.objects.filter(plugin__name=life.name).first()
    passed = Run.objects.filter(operator__name=life.operator, outcome="passed").exists()
    listed = life.filename in life.publish_page().content.decode()
    if listed and not (passed and release.sealed_at):
        yield "installers are offered what has not passed"
    if release and (release.published_at is not None) != listed:
        yield "published and listed differ"
    for artifact in Artifact.objects.filter(filename=life.filename):
        place = store.path_of(artifact.sha256)
        if not place.is_file():
            yield "a row names bytes that are not there"
        elif made_of.hashlib.sha256(place.read_bytes()).hexdigest() != artifact.sha256:
            yield "bytes are not those of their hash"


def untrue_at_last(life, *, cancelled):
    job, submission = life.job, Submission.objects.get(release__plugin__name=life.name)
    ended = "failed" if cancelled else "judged"
    if submission.state != ended or submission.finished_at is None:
        yield f"submission is {submission.state}, not {ended}"
    if cancelled and submission.error != "cancelled by ada":
        yield f"cancelled, and says {submission.error!r}"
    counts = {
        "completed": JobEvent.objects.filter(job=job, kind="completed").count(),
        "submitted": entries("release.submitted", f"{life.name} 1.0"),
        "cancelled": entries("submission.cancelled", f"submission:{submission.pk}"),
        "published": entries("release.published", f"{life.name} 1.0"),
        "in force": Run.objects.filter(
            operator__name=life.operator, official=True, superseded_at__isnull=True
        ).count(),
        "jobs": submission.jobs.count(),
    }
    once = 0 if cancelled else 1
    expected = {
        "completed": 1,
        "submitted": 1,
        "cancelled": 1 - once,
        "published": once,
        "in force": once,
        "jobs": 1,
    }
    if counts != expected:
        yield f"happened {counts}, must be {expected}"
    for run in Run.objects.filter(operator__name=life.operator):
        if run.scores.count() != 1 or run.gates.count() != len(made_of.GATES):
            yield f"run {run.verdict_id} is not whole"
    seqs = list(submission.events.order_by("seq").values_list("seq", flat=True))
    if seqs != list(range(1, len(seqs) + 1)):
        yield f"events are numbered {seqs}"


def entries(verb, target):
    return Entry.objects.filter(verb=verb, target=target).count()


def whole():
    """Return what is untrue of the hub as a whole."""
    problems = []
    chain = verify()
    if chain.broken_at is not None:
        problems.append(f"audit: {chain.reason}")
    rows = set(Artifact.objects.values_list("sha256", flat=True))
    stored = {path.name for path in store.root().glob("??/*")}
    if rows != stored:
        problems.append(f"bytes without row {stored - rows}, rows without bytes {rows - stored}")
    if Plugin.objects.count() != Submission.objects.count():
        problems.append("a plugin without a submission")
    return problems


def prepare():
    call_command("migrate", interactive=False, verbosity=0)
    private, public = signing.generate()
    runner_register(name="cpu-1", public_key=public, official=True)
    return {"token": token_create(login="ada", days=30), "key": private}


def suffer(secrets, operation, every):
    """Die at each moment of an operation, one life after the other."""
    moments = forked(lambda: begin(secrets, f"{operation.replace('_', '-')}-whole", operation, 0))
    forked(lambda: recover(secrets, f"{operation.replace('_', '-')}-whole", operation))
    # One more than there are: after the last, before the answer.
    killed, problems = 0, []
    for at in range(1, moments + 1, every):
        name = f"{operation.replace('_', '-')}-at-{at}"
        try:
            died = forked(lambda at=at, name=name: begin(secrets, name, operation, at)) is None
            killed += died
            if not died:
                problems.append(f"{name}: not killed")
            found = forked(lambda name=name: recover(secrets, name, operation))
        except AssertionError as error:
            found = [str(error)]
        problems += [f"{name}: {problem}" for problem in found]
    return {"moments": moments, "killed": killed, "problems": problems}


def main():
    settings.JOBS_PER_AUTHOR = 1_000_000
    settings.ALLOWED_HOSTS = ["*"]
    every = int(sys.argv[2])
    # Loaded once here, and not again by each of the children.
    assert Client().get("/healthz").status_code == 200
    celery.app.finalize()
    import kombu.transport.redis  # noqa: F401

    secrets = forked(prepare)
    connections.close_all()
    report = {operation: suffer(secrets, operation, every) for operation in sys.argv[3:] or BEFORE}
    report["hub"] = {"moments": 0, "killed": 0, "problems": forked(whole)}
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(report))


if __name__ == "__main__":
    main()
