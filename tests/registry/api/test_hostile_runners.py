"""Verdicts from hands that must not be trusted: each refused with a reason, each in the log.

Row by row what a thief, a liar or a stranger would try with the API; nothing is called but HTTP.
"""

from __future__ import annotations

import dataclasses
import json

import pytest
from django.utils import timezone

from dougong_ci.report import signing
from dougong_registry.audit.models import Entry
from dougong_registry.runs.models import Run, Runner, Score


@pytest.fixture
def claimed(runner, job):
    runner.claim(job)
    runner.discover(job)
    return job


def sealed(job, verdict_of, runner):
    return dict(signing.seal(verdict_of(job), runner.private))


def last(verb):
    entry = Entry.objects.filter(verb=verb).order_by("-seq").first()
    return entry and (entry.actor, entry.target, json.loads(entry.payload))


def refused(answer, status, said, runner, job):
    """The answer is a problem that says why, the log has who, what and why, and no run is kept."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert said in answer.json()["detail"]
    actor, target, payload = last("run.refused")
    assert actor == f"runner:{signing.key_id(runner.public)}"
    assert target == f"job:{job.pk}"
    assert said in payload["reason"]
    assert not Run.objects.exists()
    assert not Score.objects.exists()


def unauthorized(answer, said, reason):
    """The request itself is refused, and noted under nobody's name."""
    assert answer.status_code == 401, answer.content
    assert answer["WWW-Authenticate"] == "Bearer"
    assert said in answer.json()["detail"]
    actor, _, payload = last("runner.refused")
    assert (actor, payload["reason"]) == ("anybody", reason)
    assert not Run.objects.exists()


def test_a_tampered_verdict(runner, claimed, verdict_of):
    envelope = dict(signing.seal(verdict_of(claimed), runner.private))
    envelope["payload"] = envelope["payload"].replace('"restarts":5', '"restarts":50')
    refused(runner.record(claimed, envelope), 422, "signature", runner, claimed)


def test_a_forged_signature_of_a_verdict(runner, claimed, verdict_of, another_runner):
    thief = another_runner("thief", known=False)
    envelope = dict(signing.seal(verdict_of(claimed), thief.private))
    envelope["key_id"] = signing.key_id(runner.public)
    refused(runner.record(claimed, envelope), 422, "signature", runner, claimed)


def test_a_forged_signature_of_a_request(runner, claimed, verdict_of):
    body = {"nonce": claimed.nonce, "envelope": sealed(claimed, verdict_of, runner)}
    path = f"/api/v1/jobs/{claimed.pk}/runs"
    answer = runner.post(path, body, **{"X-Dougong-Signature": "A" * 86 + "=="})
    unauthorized(answer, "not of this request", "signature of other bytes or another key")


def test_an_unknown_runner(claimed, verdict_of, another_runner):
    stranger = another_runner("stranger", known=False)
    answer = stranger.send(claimed, verdict_of(claimed))
    unauthorized(answer, "no runner with key", "unknown or revoked key")


def test_a_revoked_runner(runner, claimed, verdict_of):
    Runner.objects.filter(name="cpu-1").update(revoked_at=timezone.now())
    answer = runner.send(claimed, verdict_of(claimed))
    unauthorized(answer, "no runner with key", "unknown or revoked key")


def test_a_score_that_its_samples_do_not_give(runner, claimed, verdict_of):
    verdict = verdict_of(claimed)
    (score,) = verdict.scores
    lie = dataclasses.replace(verdict, scores=[dataclasses.replace(score, speedup=9.0)])
    said = "speedup of float32 infer is given as 9.0"
    refused(runner.send(claimed, lie), 422, said, runner, claimed)


def test_a_verdict_for_other_bytes(runner, claimed, verdict_of):
    verdict = verdict_of(claimed)
    other = dataclasses.replace(verdict.subject, sha256="f" * 64)
    lie = dataclasses.replace(verdict, subject=other)
    refused(runner.send(claimed, lie), 422, "the verdict is of ffff", runner, claimed)


def test_a_verdict_of_a_job_that_nobody_claimed(runner, job, verdict_of):
    refused(runner.send(job, verdict_of(job)), 409, "lease", runner, job)


def test_a_verdict_of_a_job_that_another_runner_claimed(
    runner, claimed, verdict_of, another_runner
):
    other = another_runner("cpu-2")
    refused(other.send(claimed, verdict_of(claimed)), 409, "", other, claimed)


def test_a_verdict_replayed_into_another_job(ada, runner, claimed, verdict_of, wheel_of):
    """The same signed bytes again are the same run; under another job they are of other bytes."""
    from dougong_registry.submissions.models import Job

    envelope = dict(signing.seal(verdict_of(claimed), runner.private))
    other = ada.submit(wheel_of(version="2.0"), "acme_rms-2.0-py3-none-any.whl").json()["id"]
    second = Job.objects.get(submission_id=other)
    runner.claim(second)
    runner.discover(second)
    refused(runner.record(second, envelope), 422, "the job of", runner, second)
    assert runner.record(claimed, envelope).status_code == 201
    again = runner.record(second, envelope)
    assert Run.objects.count() == 1
    assert Run.objects.get().submission_id == claimed.submission_id
    assert again.status_code == 200
    assert again.json()["created"] is False


def test_a_request_replayed_after_its_time(runner, claimed, verdict_of, settings):
    late = str(int(timezone.now().timestamp()) - settings.REQUEST_WINDOW_S - 5)
    path = f"/api/v1/jobs/{claimed.pk}/runs"
    body = {"nonce": claimed.nonce, "envelope": sealed(claimed, verdict_of, runner)}
    data = json.dumps(body).encode()
    signed = signing.request_headers("POST", path, int(late), data, runner.private)
    answer = runner.client.post(path, data, content_type="application/json", headers=signed)
    unauthorized(answer, "signed more than", "signed at another time")
