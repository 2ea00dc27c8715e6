"""A signed verdict on its way to the board: recorded once, computed again, not believed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random

import pytest

from dougong_ci.report import signing
from dougong_ci.report.score import score_cases
from dougong_ci.report.verdict import AccuracyRow, Gate, Outcome, SpeedCase, Subject, Verdict
from dougong_registry.runs.models import Run, Score

SEED = 7
OPERATOR = {
    "name": "acme/rms",
    "contract": "norm.rms@1",
    "target": "acme_rms:rms",
    "summary": "One pass.",
    "devices": ["cpu"],
    "dtypes": ["float32"],
    "gradients": "none",
    "paper": "arXiv:1910.07467",
}


def speed_case(faster: float) -> SpeedCase:
    noise = random.Random(SEED)
    times = [[100 * noise.uniform(0.99, 1.01) for _ in range(9)] for _ in range(5)]
    return SpeedCase(
        workload="llama",
        params={"D": 64},
        dtype="float32",
        mode="infer",
        weight=1.0,
        baseline="torch",
        baseline_us=times,
        candidate_us=[[value / faster for value in restart] for restart in times],
        control_us=times,
        floor_us=1.0,
    )


@pytest.fixture
def judged(runner, job):
    """The job claimed and its operator announced; returns the runner, the job and a verdict."""
    runner.claim(job)
    runner.tell(job, {"kind": "discovered", "operators": [OPERATOR]})
    cases = [speed_case(1.5)]
    now = dt.datetime.now(dt.UTC).isoformat()
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
        hidden=False,
        reason="",
    )
    gates = [
        Gate(name=name, outcome=Outcome.PASSED, summary="", duration_s=0.1)
        for name in ("build", "contract", "accuracy", "edges", "laws", "noise", "speed")
    ]
    verdict = Verdict(
        id="6f2f8f3e-0000-4000-8000-000000000001",
        subject=Subject(
            operator=OPERATOR,
            distribution="acme-rms",
            version="1.0",
            sha256=job.submission.sha256,
        ),
        contract="norm.rms@1",
        contract_digest="0" * 64,
        suite="norm.rms@1/2026.1",
        device="cpu",
        hardware_class="cpu-test",
        outcome=Outcome.PASSED,
        code="ACCEPTED",
        summary="1.5x",
        gates=gates,
        accuracy=[row],
        speed=cases,
        scores=score_cases(cases, SEED),
        fingerprint={"cpu": "test"},
        judge={"version": "1", "profile": "standard", "seed": SEED, "fit_for_board": True},
        started_at=now,
        finished_at=now,
        claims=[],
    )
    return runner, job, verdict


def send(judged, verdict=None, **changed):
    runner, job, original = judged
    envelope = signing.seal(verdict or original, runner.private)
    return runner.record(job, {**envelope, **changed})


def board(client):
    return client.get("/api/v1/boards/norm.rms@1").json()


def test_more_rounds_than_the_hub_will_compare_are_refused(judged):
    verdict = judged[2]
    long = [[100.0] * 101] * 5
    case = dataclasses.replace(
        verdict.speed[0], baseline_us=long, candidate_us=long, control_us=long
    )
    answer = send(judged, dataclasses.replace(verdict, speed=[case]))
    assert answer.status_code == 422
    assert "100 rounds" in answer.json()["detail"]


def test_a_verdict_stands_on_the_board_with_the_speed_of_its_samples(judged, ada):
    assert send(judged).status_code == 201
    assert judged[0].complete(judged[1]).json() == {"state": "done"}
    (row,) = board(ada.client)["rows"]
    assert row["operator"] == "acme/rms"
    assert row["speedup"] == pytest.approx(1.5)
    submission = ada.client.get(f"/api/v1/submissions/{judged[1].submission_id}").json()
    assert submission["state"] == "judged"
    assert [each["code"] for each in submission["operators"]] == ["ACCEPTED"]


def test_the_same_verdict_twice_is_one_run(judged):
    first, second = send(judged), send(judged)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["run_id"] == second.json()["run_id"]
    assert Run.objects.count() == 1


def test_a_payload_altered_after_signing_is_refused(judged):
    runner, _, verdict = judged
    payload = signing.seal(verdict, runner.private)["payload"].replace("ACCEPTED", "ACCEPTEE")
    response = send(judged, payload=payload)
    assert response.status_code == 422
    assert "signature" in response.json()["detail"]
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda v: {"scores": [dataclasses.replace(v.scores[0], speedup=9.0)]},
            "speedup of float32 infer is given as 9.0",
        ),
        (
            lambda v: {"gates": [dataclasses.replace(v.gates[2], outcome=Outcome.FAILED)]},
            "its required gate accuracy failed",
        ),
        (
            lambda v: {"accuracy": [dataclasses.replace(v.accuracy[0], max_error=1.0)]},
            "over a bound of 1e-06",
        ),
        (lambda v: {"gates": []}, "at least one required gate"),
        (lambda v: {"suite": "norm.layer@1/2026.1"}, "is not one of contract"),
        (
            lambda v: {"subject": dataclasses.replace(v.subject, sha256="f" * 64)},
            "the verdict is of ffff",
        ),
    ],
    ids=["score", "gate", "accuracy", "no-gate", "suite", "other-wheel"],
)
def test_a_verdict_that_contradicts_itself_is_refused_and_nothing_is_kept(judged, change, said):
    verdict = judged[2]
    response = send(judged, dataclasses.replace(verdict, **change(verdict)))
    assert response.status_code == 422
    assert said in response.json()["detail"]
    assert not Run.objects.exists()
    assert not Score.objects.exists()


def test_a_quick_or_unboxed_judgement_is_shown_but_not_ranked(judged, ada):
    verdict = judged[2]
    unfit = dataclasses.replace(verdict, judge={**verdict.judge, "fit_for_board": False})
    assert send(judged, unfit).status_code == 201
    response = ada.client.get("/api/v1/boards/norm.rms@1")
    rows = response.json()["rows"] if response.status_code == 200 else []
    assert rows == []


def test_an_attempt_that_was_given_away_records_nothing(judged):
    _, job, _ = judged
    job.nonce = "stale"
    assert send(judged).status_code == 409
    assert not Run.objects.exists()
