"""What a runner may say, and when: one claim, one nonce, one verdict."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from dougong_registry.runs.models import Run
from dougong_registry.submissions.jobs import jobs_requeue_expired
from dougong_registry.submissions.models import Job

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
DISCOVERED = {"kind": "discovered", "operators": [OPERATOR]}


def detail(response, status):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    return response.json()["detail"]


def test_a_claim_says_what_to_judge_and_for_how_long(runner, job):
    body = runner.claim(job).json()
    assert body["distribution"] == "acme-rms"
    assert body["sha256"] == job.submission.sha256
    assert body["artifact_url"].endswith(body["sha256"])
    assert body["lease_s"] > 0


def test_one_runner_claims_and_the_other_is_turned_away(runner, job, another_runner):
    assert runner.claim(job).status_code == 200
    detail(another_runner("cpu-2").claim(job), 409)


def test_only_a_known_key_is_heard(job, another_runner):
    detail(another_runner("stranger", known=False).claim(job), 401)
    assert Job.objects.get().state == Job.State.QUEUED


@pytest.mark.parametrize(
    "changed",
    [
        {"X-Dougong-Timestamp": "1"},
        {"X-Dougong-Signature": "AAAA"},
        {"X-Dougong-Key": "0" * 16},
        {"X-Dougong-Key": ""},
    ],
)
def test_a_request_that_is_altered_or_old_is_not_heard(runner, job, changed):
    path = f"/api/v1/jobs/{job.pk}/claim"
    detail(runner.post(path, {"nonce": job.nonce}, **changed), 401)
    assert Job.objects.get().state == Job.State.QUEUED


def test_events_are_kept_in_order_and_can_be_followed(runner, job, ada):
    runner.claim(job)
    runner.tell(job, DISCOVERED)
    runner.tell(
        job,
        {"kind": "gate_started", "operator": "acme/rms", "gate": "build"},
    )
    events = ada.client.get(f"/api/v1/submissions/{job.submission_id}/events").json()
    kinds = [event["kind"] for event in events]
    assert kinds.index("discovered") < kinds.index("gate_started")
    later = f"/api/v1/submissions/{job.submission_id}/events?after={events[-1]['seq']}"
    assert ada.client.get(later).json() == []


def test_a_lost_judge_is_replaced_once_and_not_heard_again(runner, job, another_runner):
    runner.claim(job)
    Job.objects.update(lease_expires_at=timezone.now() - dt.timedelta(seconds=1))
    assert jobs_requeue_expired() == [job.pk]
    assert jobs_requeue_expired() == []
    late = runner.tell(job, {"kind": "progress", "message": "still here"})
    detail(late, 409)
    again = Job.objects.get()
    assert again.nonce != job.nonce
    assert another_runner("cpu-2").claim(again).status_code == 200


def test_a_job_without_verdicts_cannot_be_called_judged(runner, job):
    runner.claim(job)
    runner.tell(job, DISCOVERED)
    assert "acme/rms" in detail(runner.complete(job), 422)
    failed = runner.complete(job, "failed", "the sandbox did not start")
    assert failed.json()["state"] == "failed"
    detail(runner.claim(job), 409)


def test_an_envelope_of_nonsense_or_of_another_key_is_refused(runner, job, another_runner):
    runner.claim(job)
    runner.tell(job, DISCOVERED)
    other = another_runner("cpu-2")
    from dougong_ci.report import signing

    for envelope, said in (
        ({"payload": "{}", "key_id": "x", "signature": "y"}, "key"),
        (
            {
                "payload": "{}",
                "key_id": signing.key_id(runner.public),
                "signature": signing.sign(b"{}", other.private),
            },
            "signature",
        ),
        (
            {
                "payload": "{}",
                "key_id": signing.key_id(runner.public),
                "signature": signing.sign(b"{}", runner.private),
            },
            "not a verdict",
        ),
    ):
        assert said in detail(runner.record(job, envelope), 422)
    assert not Run.objects.exists()
