"""Judges on machines of two classes: each job goes where it fits, and outlives the one at it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from dougong.hardware import cores

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        os.environ.get("DOUGONG_FAULTS") != "whole",
        reason="two machines judge for minutes: DOUGONG_FAULTS=whole",
    ),
    pytest.mark.skipif(cores() < 2, reason="two hardware classes need two processors"),
]
DOUGONG = Path(sys.executable).with_name("dougong")
# Rejected before the clock starts: where it is judged is the same.
WRONG = {"zeros": "zeros"}


class Worker:
    """`dougong worker` with a key of its own, on the processors named."""

    def __init__(self, folder, name, processors, up):
        self.log = folder / f"{name}.log"
        self.env = {
            **os.environ,
            "DOUGONG_HOME": str(folder / name),
            "DOUGONG_DRAIN_S": "0",
            "DOUGONG_BROKER_URL": f"redis+socket://{up.home / 'broker' / 'valkey.sock'}",
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", processors, DOUGONG, "worker", "--hub", up.url],
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def command(self):
        """The command that it asks the operator to run."""
        found = re.search(r"let it in: dougong-hub (.+)", self.log.read_text())
        return shlex.split(found[1]) if found else None

    @property
    def key_id(self):
        return self.command()[2]

    def kill(self, number=signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


@pytest.fixture
def up(start_up, tmp_path_factory):
    return start_up(tmp_path_factory.mktemp("m") / "s", "--no-worker")


@pytest.fixture
def worker(tmp_path, up):
    started = []

    def start(name, processors):
        started.append(Worker(tmp_path, name, processors, up))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.process.wait()


def let_in(up, worker, until):
    until(worker.command, "the worker says how to let it in", timeout_s=30)
    subprocess.run(
        [Path(sys.executable).with_name("dougong-hub"), *worker.command()],
        env={**os.environ, "DOUGONG_HOME": str(up.home)},
        check=True,
        capture_output=True,
    )


def database(up, statement, *values):
    with contextlib.closing(sqlite3.connect(up.home / "hub.sqlite3", timeout=20)) as connection:
        rows = connection.execute(statement, values).fetchall()
        connection.commit()
    return rows


def state(up, submission):
    return up.get(f"/api/v1/submissions/{submission}")["state"]


def holder(up, submission):
    found = database(
        up, "select runner_key_id, state from submissions_job where submission_id=?", submission
    )
    return found[0]


def test_jobs_go_where_they_fit_and_outlive_their_machine(up, worker, wheel, until):
    up.line("ready")
    first, second, third = (up.submit(wheel(f"1.{n}", **WRONG)) for n in range(3))
    said = up.get(f"/api/v1/submissions/{first}")["waiting"]
    assert said == ["waiting for a runner with cpu; none is registered"]

    one, two = worker("one", "0"), worker("two", "0,1")
    for each in (one, two):
        let_in(up, each, until)
    until(
        lambda: len(database(up, "select 1 from fleet_capability")) == 2, "both say what they are"
    )
    classes = {
        key: re.search(r"cpu-[^\"]+", hardware)[0]
        for key, hardware in database(
            up,
            "select key_id, hardware from fleet_capability"
            " join runs_runner on runs_runner.id = runner_id",
        )
    }
    assert classes[one.key_id].endswith("-1c")
    assert classes[two.key_id].endswith("-2c")

    for submission in (first, second, third):
        until(lambda s=submission: state(up, s) == "judged", f"{submission}", timeout_s=200)
    # Two more, each for one class of machine.
    fourth, fifth = up.submit(wheel("1.3", **WRONG)), up.submit(wheel("1.4", **WRONG))
    pinned = {fourth: one, fifth: two}
    for submission, each in pinned.items():
        database(
            up,
            "update submissions_job set hardware_class=?, state='queued', dispatched_at=null,"
            " nonce='moved-' || id, lease_expires_at=null where submission_id=?",
            classes[each.key_id],
            submission,
        )
    for submission, each in pinned.items():
        until(lambda s=submission: state(up, s) == "judged", f"{submission}", timeout_s=100)
        assert holder(up, submission)[0] == each.key_id

    # The machine at work is lost; the other finishes the work.
    sixth = up.submit(wheel("1.5", **WRONG, nought="zeros"))
    until(lambda: holder(up, sixth)[1] == "leased", "the sixth is claimed", timeout_s=60)
    lost = holder(up, sixth)[0]
    (one if lost == one.key_id else two).kill()
    until(lambda: state(up, sixth) == "judged", "the other judged it", timeout_s=200)
    assert holder(up, sixth)[0] == ({one.key_id, two.key_id} - {lost}).pop()
    runs = database(
        up, "select count(*) from runs_run where submission_id=? and superseded_at is null", sixth
    )
    assert runs == [(2,)]

    # The one that is left is asked to leave: it hands back what it has no time for.
    left = two if lost == one.key_id else one
    seventh = up.submit(wheel("1.6", **WRONG, nought="zeros"))
    until(lambda: holder(up, seventh)[1] == "leased", "the seventh is claimed", timeout_s=60)
    left.kill(signal.SIGTERM)
    assert left.process.wait(60) == 0
    (handed_back,) = database(
        up, "select state, handed_back from submissions_job where submission_id=?", seventh
    )
    assert handed_back == ("queued", 1)
    (reason,) = up.get(f"/api/v1/submissions/{seventh}")["waiting"]
    assert reason == "waiting for a runner with cpu; those there are being taken down"
