"""`dougong up` for real: a plugin comes in, is judged, stands on a board, whatever is killed."""

from __future__ import annotations

import os
import signal
import stat

import pytest

# Two that are rejected before the clock starts: what is killed and healed is the same.
WRONG = {"zeros": "zeros", "nought": "zeros"}
JUDGED_ONCE = {"tiny/rms-zeros": 1, "tiny/rms-nought": 1}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("e2e") / "state"


@pytest.fixture(scope="module")
def up(start_up, home, wheel):
    return start_up(home, "--submit", wheel("1.0", rms="rms", zeros="zeros"))


def judging(up, submission):
    events = up.get(f"/api/v1/submissions/{submission}/events", after=0)
    return any(event["kind"] == "gate_started" for event in rows(events))


def state(up, submission):
    return up.get(f"/api/v1/submissions/{submission}")["state"]


def rows(answer):
    return answer["results"] if isinstance(answer, dict) else answer


def runs_in_force(home, version):
    """Count from the outside what the boards count: runs of a version that none has replaced."""
    import sqlite3

    with sqlite3.connect(f"file:{home / 'hub.sqlite3'}?mode=ro", uri=True) as database:
        found = database.execute(
            "select operator.name, count(*) from runs_run run"
            " join plugins_operatorrecord operator on operator.id = run.operator_id"
            " join plugins_release release on release.id = operator.release_id"
            " where run.superseded_at is null and release.version = ? group by 1",
            (version,),
        ).fetchall()
    database.close()
    return dict(found)


def test_submitted_operators_end_with_a_verdict_each_on_the_board(up):
    assert up.line("end", timeout_s=200)["problems"] == []
    verdicts = {line["name"]: line for line in up.lines if line["event"] == "operator"}
    assert sorted(verdicts) == ["tiny/rms", "tiny/rms-zeros"]
    assert verdicts["tiny/rms-zeros"]["outcome"] == "failed"
    assert verdicts["tiny/rms-zeros"]["gates"]["accuracy"] == "failed"
    board = up.get("/api/v1/boards/norm.rms@1")
    standing = [row["operator"] for row in (*board["rows"], *board["unranked"])]
    assert sorted(standing) == ["tiny/rms", "tiny/rms-zeros"]
    assert "tiny/rms-zeros" not in [row["operator"] for row in board["rows"]]


def test_state_folder_keeps_its_secrets(up, home):
    up.line("ready")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for name in ("hub.json", "token", "runner-1.pem"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600, name


def test_second_hub_on_one_folder_is_refused(up, start_up, home):
    up.line("ready")
    second = start_up(home)
    assert second.process.wait(60) == 1
    assert f"another `dougong up` (process {up.process.pid})" in second.errors.read_text()


def test_worker_web_and_broker_killed_in_mid_judging_judge_once(start_up, tmp_path, wheel, until):
    up = start_up(tmp_path / "state")
    made = wheel("1.0", **WRONG)
    submission = up.submit(made)
    until(lambda: judging(up, submission), "judging has begun")
    for name in ("worker-1", "web", "valkey"):
        os.kill(up.pid(name), signal.SIGKILL)
    until(lambda: state(up, submission) in ("judged", "failed"), "judged")
    assert state(up, submission) == "judged"
    assert runs_in_force(up.home, "1.0") == JUDGED_ONCE
    # The same wheel again is the same submission.
    assert up.submit(made) == submission
    assert runs_in_force(up.home, "1.0") == JUDGED_ONCE


def test_hub_killed_in_mid_judging_leaves_nothing_and_judges_once(start_up, tmp_path, wheel, until):
    home = tmp_path / "state"
    up = start_up(home)
    submission = up.submit(wheel("1.0", **WRONG))
    until(lambda: judging(up, submission), "judging has begun")
    up.process.kill()
    up.process.wait()
    until(lambda: up.processes() == {}, "no orphan, sandboxes included", timeout_s=30)
    again = start_up(home)
    until(lambda: state(again, submission) in ("judged", "failed"), "judged")
    assert state(again, submission) == "judged"
    assert runs_in_force(home, "1.0") == JUDGED_ONCE
    again.process.send_signal(signal.SIGINT)
    assert again.process.wait(60) == 0
    assert again.processes() == {}
    assert not (home / "hub.json").exists()
