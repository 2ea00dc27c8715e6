"""A program: what else can go wrong around a hub, one scenario after the other.

    python trouble.py HOME EVERY [SCENARIO ...]

Every EVERY-th scenario runs in a child process of its own and ends with the checks of `life.py`.
Prints one JSON object: scenario -> list of what was untrue.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sqlite3
import sys
import time

import life
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from life import Entry, Job, JobEvent, Life, Run, Submission, good, long_ago, sweep, untrue_at_last

from dougong_registry import celery
from dougong_registry.audit.services import verify
from dougong_registry.plugins import store
from dougong_registry.submissions.dispatch import jobs_dispatch_waiting

ANSWERED = ("submit", "heartbeat", "claim", "discover", "gates", "run", "complete")
MUCH = ("a.txt", "b.txt", "c.txt", "d.txt")
WHERE_THE_LEASE_IS_LOST = ("claim", "discover", "gates", "run")


def finish(story, *, since="claim"):
    """Do the rest of the work, and return what is untrue."""
    for step in life.ORDER[life.ORDER.index(since) :]:
        good(getattr(story, step)())
    return [*life.untrue_now(story), *untrue_at_last(story, cancelled=False)]


def until(story, operation):
    for step in life.BEFORE[operation]:
        good(getattr(story, step)())


def rows():
    """Count everything that a request could leave behind."""
    tables = (Entry, Job, JobEvent, Run, Submission)
    return [table.objects.count() for table in tables]


@contextlib.contextmanager
def locked():
    """Another process writes, and does not end."""
    if connection.vendor == "sqlite":
        other = sqlite3.connect(settings.DATABASES["default"]["NAME"], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        connection.cursor().execute("PRAGMA busy_timeout=300")
        yield
        other.close()
        return
    import psycopg

    with psycopg.connect(**connection.get_connection_params()) as other:
        # Reads go on, as beside SQLite's one writer.
        tables = "submissions_job, audit_entry, fleet_capability, runs_run"
        other.execute(f"LOCK TABLE {tables} IN EXCLUSIVE MODE")
        connection.cursor().execute("SET lock_timeout = '300ms'")
        yield
        other.rollback()


@contextlib.contextmanager
def small_files(limit_bytes):
    """No file may grow: what a full disk looks like to a process."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def hindered(story, operation, hindrance, statuses):
    """Answer an operation with a refusal that says try again; repeated, it is done once."""
    until(story, operation)
    step = getattr(story, operation)
    before, problems, send = rows(), [], request_of(story, operation)
    with hindrance:
        answer = send()
        if answer.status_code not in statuses:
            problems.append(f"{operation} answered {answer.status_code}: {answer.content[:300]}")
        elif not answer.headers.get("Retry-After"):
            problems.append(f"{operation}: no Retry-After")
    if rows() != before:
        problems.append(f"{operation} left rows: {before} became {rows()}")
    good(step())
    rest = life.ORDER[life.ORDER.index(operation) + 1 :]
    return problems + (finish(story, since=rest[0]) if rest else finish_none(story))


def finish_none(story):
    return [*life.untrue_now(story), *untrue_at_last(story, cancelled=False)]


def upload(story):
    wheel = life.made_of.SimpleUploadedFile(story.filename, story.data)
    return story.client.post("/api/v1/submissions", {"wheel": wheel}, headers=story._bearer())


def database_locked(story, operation):
    return hindered(story, operation, locked(), {503})


def disk_full_for_wheels(story):
    # The database's files are smaller than the limit, the wheel is not.
    story.data = life.made_of.wheel_bytes(story.name, **dict.fromkeys(MUCH, "x" * (6 << 20)))
    return hindered(story, "submit", small_files(16 << 20), {507})


def disk_full_for_the_database(story, operation):
    if connection.vendor != "sqlite":
        return []  # The server's disk is the server's.
    connection.ensure_connection()
    return hindered(story, operation, small_files(4096), {503, 507})


def connection_cut(story, operation):
    """The database server drops the connection at each statement of an operation in turn."""
    if connection.vendor == "sqlite":
        return []
    import psycopg

    until(story, operation)
    problems, at, send = [], 0, request_of(story, operation)
    parameters = connection.get_connection_params()
    while True:
        at += 1
        count = 0

        def cut(execute, sql, params, many, context):
            nonlocal count
            count += 1
            if count == at:  # noqa: B023 - called in this round only
                pid = connection.connection.info.backend_pid
                with psycopg.connect(**parameters, autocommit=True) as other:
                    other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            return execute(sql, params, many, context)

        with connection.execute_wrapper(cut):
            answer = send()
        connection.close()
        if count < at:
            good(answer)
            break
        if answer.status_code not in (200, 201, 503):
            problems.append(f"{operation}, cut at {at}: {answer.status_code}")
    rest = life.ORDER[life.ORDER.index(operation) + 1 :]
    return problems + (finish(story, since=rest[0]) if rest else finish_none(story))


def broker_dead_at_submit(story):
    """Valkey is killed: an upload is taken all the same, and sent once Valkey is back."""
    good(story.heartbeat())
    os.kill(int(os.environ["FAULTS_BROKER_PID"]), signal.SIGKILL)
    started = time.monotonic()
    good(story.submit())
    problems = [] if time.monotonic() - started < 10 else ["a dead broker held up the upload"]
    page = Client().get(f"/api/v1/submissions/{story.job.submission_id}")
    if page.status_code != 200:
        problems.append("a dead broker stopped a page")
    for _ in range(100):
        sweep()
        if story.job.dispatched_at:
            break
        time.sleep(0.1)  # The supervisor starts it again.
    else:
        problems.append("never sent after the broker came back")
    return problems + finish(story)


def message_lost(story):
    """The broker forgets everything: the job is sent again."""
    good(story.heartbeat())
    good(story.submit())
    with celery.app.connection_for_write() as broker:
        broker.default_channel.client.flushall()
    Job.objects.filter(pk=story.job.pk).update(dispatched_at=long_ago())
    sent = jobs_dispatch_waiting()
    return [
        *([] if story.job.pk in sent else ["a lost message was not sent again"]),
        *finish(story),
    ]


def delivered_twice(story):
    """The same message reaches two workers: one judges, the other is turned away."""
    until(story, "claim")
    good(story.claim())
    again = story.claim()
    problems = [] if again.status_code == 409 else [f"claimed twice: {again.status_code}"]
    return problems + finish(story, since="discover")


def everything_said_twice(story):
    """Every request arrives twice, as after a timeout in between."""
    for step in life.ORDER:
        getattr(story, step)()
        getattr(story, step)()
    return finish_none(story)


def late_worker(story, lost_at):
    """A lease runs out, another attempt is made; what the first says after that counts nothing."""
    until(story, lost_at)
    good(getattr(story, lost_at)())
    old = story.job.nonce
    story.expire()
    new = story.job.nonce
    problems = [] if new != old else ["the nonce is the old one"]
    Job.objects.filter(pk=story.job.pk).update(nonce=old)
    late = {name: request_of(story, name) for name in ("claim", "discover", "run", "complete")}
    Job.objects.filter(pk=story.job.pk).update(nonce=new)
    before = rows()[1:]
    for name, send in late.items():
        answer = send()
        known = name == lost_at == "run" and answer.json().get("created") is False
        if answer.status_code != 409 and not known:
            problems.append(f"late {name} was heard")
    if rows()[1:] != before:
        problems.append("a late worker left rows")
    return problems + finish(story)


def request_of(story, name):
    """Return a request as it would be sent now, to be sent later; nothing of it is asked twice."""
    if name == "submit":
        return lambda: upload(story)
    kept = {}

    def keep(path, body):
        kept.update(path=path, body=body)

    signed, story._signed = story._signed, keep
    getattr(story, name)()
    story._signed = signed
    return lambda: signed(kept["path"], kept["body"])


def clock_skewed(story, seconds):
    """A runner whose clock is off: inside the window it is heard, outside it is told why."""
    until(story, "claim")
    real = life.timezone.now
    allowed = abs(seconds) < settings.REQUEST_WINDOW_S
    request_now = real() + life.dt.timedelta(seconds=seconds)
    story_now = lambda: request_now  # noqa: E731
    signer, life.timezone = life.timezone, type("Clock", (), {"now": staticmethod(story_now)})
    path, nonce = f"/api/v1/jobs/{story.job.pk}/claim", story.job.nonce
    answer = story._signed(path, {"nonce": nonce})
    life.timezone = signer
    if allowed:
        problems = [] if answer.status_code == 200 else [f"{seconds} s off: {answer.content}"]
        return problems + finish(story, since="discover")
    said = answer.json()["detail"]
    problems = [] if answer.status_code == 401 and "set the clock" in said else [said]
    return problems + finish(story)


def upload_cut_off(story, share):
    """The client is gone in the middle of its upload: nothing stays behind."""
    before = rows()
    head = (
        f'--x\r\nContent-Disposition: form-data; name="wheel"; filename="{story.filename}"\r\n\r\n'
    ).encode()
    body = head + story.data[: int(len(story.data) * share)]
    answer = story.client.generic(
        "POST",
        "/api/v1/submissions",
        body,
        content_type="multipart/form-data; boundary=x",
        headers=story._bearer(),
    )
    problems = [] if 400 <= answer.status_code < 500 else [f"answered {answer.status_code}"]
    if rows() != before or Submission.objects.filter(release__plugin__name=story.name).exists():
        problems.append("half an upload left rows")
    if left := list((store.root() / "incoming").glob("*")):
        problems.append(f"half an upload left {left}")
    good(story.submit())
    return problems + finish(story)


def upload_left_by_the_dead(story):
    """What a killed process left of an upload is dropped after a day, and not before."""
    folder = store.root() / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    old, fresh = folder / "old", folder / "fresh"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    store.sweep()
    problems = [] if not old.exists() and fresh.exists() else ["not the old one was dropped"]
    fresh.unlink()
    good(story.submit())
    return problems + finish(story)


def poison(story):
    """A wheel that kills every worker ends as failed, and is never offered."""
    until(story, "claim")
    for _ in range(settings.JOB_ATTEMPTS):
        good(story.claim())
        story.expire()
    problems = [] if story.job.state == "failed" else [f"job is {story.job.state}"]
    if story.claim().status_code != 409:
        problems.append("claimed after its end")
    said = Submission.objects.get(pk=story.job.submission_id).error
    if "no verdict after" not in said:
        problems.append(said)
    return [*problems, *life.untrue_now(story)]


def cancelled_at_work(story):
    """Cancelled while a runner is at it: the runner is told, and nothing is published."""
    until(story, "run")
    good(story.cancel())
    late = [story.run().status_code, story.complete().status_code]
    problems = [] if late == [409, 409] else [f"the runner was answered {late}"]
    return [
        *problems,
        *life.untrue_now(story),
        *untrue_at_last(story, cancelled=True),
    ]


SCENARIOS = {
    **{f"locked {op}": (database_locked, op) for op in ANSWERED},
    **{
        f"full {op}": (disk_full_for_the_database, op)
        for op in ("heartbeat", "claim", "discover", "run", "complete")
    },
    **{f"cut {op}": (connection_cut, op) for op in ("submit", "discover", "run", "complete")},
    "full wheels": (disk_full_for_wheels,),
    "broker dead": (broker_dead_at_submit,),
    "message lost": (message_lost,),
    "delivered twice": (delivered_twice,),
    "said twice": (everything_said_twice,),
    **{f"late {op}": (late_worker, op) for op in WHERE_THE_LEASE_IS_LOST},
    **{f"clock {s}": (clock_skewed, s) for s in (-290, 290, -310, 310)},
    **{f"upload {share}": (upload_cut_off, share) for share in (0.0, 0.5, 0.99)},
    "upload left": (upload_left_by_the_dead,),
    "poison": (poison,),
    "cancelled": (cancelled_at_work,),
}


def main():
    settings.JOBS_PER_AUTHOR = 1_000_000
    settings.ALLOWED_HOSTS = ["*"]
    every = int(sys.argv[2])
    assert Client().get("/healthz").status_code == 200
    secrets = life.forked(life.prepare)
    connections.close_all()
    report = {}
    for number, (scenario, (play, *arguments)) in enumerate(SCENARIOS.items()):
        if number % every or (sys.argv[3:] and scenario not in sys.argv[3:]):
            continue
        name = f"trouble-{number}"
        began = time.monotonic()
        try:
            report[scenario] = life.forked(
                lambda play=play, name=name, rest=arguments: play(Life(secrets, name), *rest)
            )
        except AssertionError as error:
            report[scenario] = [str(error)]
        print(f"{scenario}: {time.monotonic() - began:.1f} s", file=sys.stderr)
    report["audit"] = life.forked(lambda: [reason for reason in (verify().reason,) if reason])
    print(json.dumps(report))


main()
