"""A signed verdict on its way to the board: recorded once, computed again, not believed."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest

from dougong_ci.report import signing
from dougong_ci.report.score import score_cases
from dougong_ci.report.verdict import Histogram, Outcome, ParetoPoint, QualityRow
from dougong_registry.audit.models import Entry
from dougong_registry.runs.models import Run, Score

LOST = QualityRow(
    task="recall",
    params={"length": 64},
    metric="accuracy",
    exact=1.0,
    candidate=0.4,
    retained=0.4,
    floor=0.9,
    passed=False,
)


@pytest.fixture
def judged(runner, job, verdict_of):
    """The job claimed and its operator announced; returns the runner, the job and a verdict."""
    runner.claim(job)
    runner.discover(job)
    return runner, job, verdict_of(job)


def send(judged, verdict=None, **changed):
    runner, job, original = judged
    envelope = signing.seal(verdict or original, runner.private)
    return runner.record(job, {**envelope, **changed})


def refusals(verb="run.refused"):
    entries = Entry.objects.filter(verb=verb).order_by("seq")
    return [json.loads(entry.payload) for entry in entries]


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


def test_a_whole_verdict_of_the_fullest_profile_is_taken(judged, ada, speed_case):
    boards = [("float32", "infer"), ("bfloat16", "infer"), ("float16", "infer")]
    boards += [("float32", "train"), ("float32", "compiled")]
    cases = [
        speed_case(1.2, restarts=32, rounds=30, dtype=dtype, mode=mode, workload=workload)
        for dtype, mode in boards
        for workload in ("decode", "prefill")
    ]
    verdict = dataclasses.replace(judged[2], speed=cases, scores=score_cases(cases, 7))
    assert send(judged, verdict).status_code == 201
    shown = ada.client.get("/api/v1/boards/norm.rms@1?mode=compiled").json()
    (row,) = shown["rows"]
    assert (shown["mode"], row["decision"], row["restarts"]) == ("compiled", "faster", 32)


@pytest.mark.parametrize(("faster", "decision"), [(1.5, "faster"), (1.01, "not_faster")])
def test_the_hub_decides_by_counting_restarts(judged, ada, speed_case, faster, decision):
    cases = [speed_case(faster, restarts=7)]
    verdict = dataclasses.replace(judged[2], speed=cases, scores=score_cases(cases, 7))
    assert send(judged, verdict).status_code == 201
    (row,) = board(ada.client)["rows"]
    assert row["decision"] == decision
    page = ada.client.get("/boards/norm.rms@1/").content.decode()
    assert f">{decision.replace('_', ' ')}</span>" in page


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
    (refusal,) = refusals()
    assert "signature" in refusal["reason"]
    assert refusal["payload_sha256"] == hashlib.sha256(payload.encode()).hexdigest()


def test_another_verdict_under_a_known_id_is_refused(judged):
    assert send(judged).status_code == 201
    other = dataclasses.replace(judged[2], summary="another")
    assert send(judged, other).status_code == 409
    assert "another payload" in refusals()[-1]["reason"]
    assert Run.objects.count() == 1


def test_a_verdict_of_one_runner_is_worth_nothing_to_another(judged, another_runner):
    runner, job, verdict = judged
    eve = another_runner("eve")
    answer = eve.record(job, dict(signing.seal(verdict, runner.private)))
    assert answer.status_code == 422
    assert "the envelope is of key" in refusals()[-1]["reason"]
    assert Entry.objects.last().actor.startswith("runner:")


def test_unknown_runners_and_forged_requests_are_refused_and_noted_once_a_minute(
    judged, another_runner
):
    runner, job, _ = judged
    stranger = another_runner("stranger", known=False)
    assert stranger.claim(job).status_code == 401
    (noted,) = refusals("runner.refused")
    assert noted["reason"] == "unknown or revoked key"
    path = f"/api/v1/jobs/{job.pk}/claim"
    forged = runner.post(path, {"nonce": job.nonce}, **{"X-Dougong-Signature": "A" * 88})
    assert forged.status_code == 401
    assert len(refusals("runner.refused")) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda v: {"scores": [dataclasses.replace(v.scores[0], speedup=9.0)]},
            "speedup of float32 infer is given as 9.0",
        ),
        (
            lambda v: {"scores": [dataclasses.replace(v.scores[0], decision="faster")]},
            "decision of float32 infer is given as 'faster', but the raw samples give 'undecided'",
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
        (lambda v: {"quality": [LOST]}, "recall (accuracy) keeps 0.4 under a floor of 0.9"),
        (
            lambda v: {
                "histograms": [
                    Histogram(dtype="float32", direction="forward", ulp_edges=[1.0], counts=[3])
                ]
            },
            "got 1 edges and 1 counts",
        ),
        (
            lambda v: {
                "pareto": [
                    ParetoPoint(
                        length=64, retained=1.0, speedup=0.0, baseline_us=1.0, candidate_us=1.0
                    )
                ]
            },
            "must have positive times",
        ),
    ],
    ids=[
        "score",
        "decision",
        "gate",
        "accuracy",
        "no-gate",
        "suite",
        "other-wheel",
        "quality",
        "histogram",
        "pareto",
    ],
)
def test_a_verdict_that_contradicts_itself_is_refused_and_nothing_is_kept(judged, change, said):
    verdict = judged[2]
    response = send(judged, dataclasses.replace(verdict, **change(verdict)))
    assert response.status_code == 422
    assert said in response.json()["detail"]
    assert not Run.objects.exists()
    assert not Score.objects.exists()
    assert said in refusals()[-1]["reason"]


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
