"""What could not be told is judged again, later, a few times; nothing passes or fails by it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from dougong_registry.runs.models import Run
from dougong_registry.submissions import dispatch
from dougong_registry.submissions.dispatch import jobs_dispatch_waiting
from dougong_registry.submissions.jobs import jobs_requeue_expired
from dougong_registry.submissions.models import Job, Submission

NOISE = {"outcome": "inconclusive", "code": "INCONCLUSIVE_NOISE"}


@pytest.fixture
def at_work(runner, job):
    """The first job, claimed, with two operators found."""
    runner.claim(job)
    runner.discover(job, "acme/rms", "acme/other")
    return job


@pytest.fixture
def retry(runner, at_work, verdict_of, speed_case):
    """The retry of `acme/rms`, which met a busy machine; `acme/other` is settled."""
    settled = [speed_case(1.5, restarts=7)]
    runner.send(at_work, verdict_of(at_work, **NOISE))
    runner.send(at_work, verdict_of(at_work, "acme/other", cases=settled))
    runner.complete(at_work)
    return Job.objects.get(retry=1)


@pytest.fixture
def broker(monkeypatch):
    """Take every job that is sent, and remember which."""
    sent = []
    monkeypatch.setattr(dispatch, "job_dispatch", lambda job_id: sent.append(job_id) or True)
    return sent


def make_due(retry):
    Job.objects.filter(pk=retry.pk).update(not_before=timezone.now() - dt.timedelta(seconds=1))


def state(submission):
    return Client().get(f"/api/v1/submissions/{submission}").json()


def outcomes(submission):
    return {each["name"]: each["code"] for each in state(submission)["operators"]}


def in_force(name):
    return Run.objects.get(operator__name=name, superseded_at=None).code


def test_a_new_submission_is_judged_with_few_restarts_and_whole(runner, job):
    order = runner.claim(job).json()
    assert (order["profile"], order["operators"]) == ("first", [])


def test_a_noisy_operator_comes_back_later_alone_with_more_restarts(runner, retry, settings):
    wait = retry.not_before - timezone.now()
    assert dt.timedelta(0) < wait <= dt.timedelta(seconds=settings.JUDGE_RETRY_S[0])
    order = runner.claim(retry).json()
    assert (order["profile"], order["operators"]) == ("standard", ["acme/rms"])


def test_a_passed_operator_whose_speed_is_undecided_comes_back_too(
    runner, at_work, verdict_of, speed_case
):
    runner.send(at_work, verdict_of(at_work, cases=[speed_case(1.5, restarts=5)]))
    runner.send(at_work, verdict_of(at_work, "acme/other", cases=[speed_case(1.5, restarts=7)]))
    runner.complete(at_work)
    assert Job.objects.get(retry=1).operators == ["acme/rms"]


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("inconclusive", "HELD"),
        ("inconclusive", "INCONCLUSIVE_UNMEASURED"),
        ("failed", "REJECTED_ACCURACY"),
        ("errored", "JUDGE_ERROR"),
    ],
)
def test_what_waits_for_a_person_or_is_told_is_not_judged_again(
    runner, at_work, verdict_of, speed_case, outcome, code
):
    runner.send(at_work, verdict_of(at_work, outcome=outcome, code=code))
    settled = [speed_case(1.5, restarts=7)]
    runner.send(at_work, verdict_of(at_work, "acme/other", cases=settled))
    assert runner.complete(at_work).json() == {"state": "done"}
    assert Job.objects.count() == 1
    assert state(at_work.submission_id)["retry"] is None


def test_a_time_below_the_physical_floor_waits_for_a_person_even_if_undecided(
    runner, at_work, verdict_of, speed_case
):
    case = speed_case(1.5, restarts=5)
    case.floor_us = 1000.0
    runner.send(at_work, verdict_of(at_work, cases=[case]))
    settled = [speed_case(1.5, restarts=7)]
    runner.send(at_work, verdict_of(at_work, "acme/other", cases=settled))
    runner.complete(at_work)
    assert Job.objects.count() == 1


def test_completing_twice_makes_one_retry(runner, retry, at_work):
    assert runner.complete(at_work).json() == {"state": "done"}
    assert Job.objects.count() == 2


def test_a_retry_is_sent_when_it_is_due_and_not_before(retry, broker):
    assert jobs_dispatch_waiting() == []
    make_due(retry)
    assert jobs_dispatch_waiting() == [retry.pk]
    assert broker == [retry.pk]


def test_the_submission_stays_judged_while_a_retry_is_claimed_lost_and_failed(runner, retry):
    before = Submission.objects.get()
    assert before.state == "judged"

    def unmoved():
        now = Submission.objects.get()
        return (now.state, now.error, now.finished_at) == ("judged", "", before.finished_at)

    runner.claim(retry)
    assert unmoved()
    Job.objects.filter(pk=retry.pk).update(lease_expires_at=timezone.now() - dt.timedelta(1))
    assert jobs_requeue_expired() == [retry.pk]
    assert unmoved()
    again = Job.objects.get(pk=retry.pk)
    runner.claim(again)
    assert runner.complete(again, "failed", "the sandbox did not start").json()["state"] == "failed"
    assert unmoved()
    assert Job.objects.count() == 2
    assert outcomes(before.pk) == {"acme/rms": "INCONCLUSIVE_NOISE", "acme/other": "ACCEPTED"}


def test_a_retry_finds_only_what_it_asked_for_and_the_others_stay(runner, retry, verdict_of):
    runner.claim(retry)
    assert "acme/other" in runner.discover(retry, "acme/other").json()["detail"]
    assert runner.discover(retry, "acme/rms").status_code == 200
    strange = runner.send(retry, verdict_of(retry, "acme/other"))
    assert "is to judge acme/rms" in strange.json()["detail"]
    assert "acme/rms" in runner.complete(retry).json()["detail"]
    assert runner.send(retry, verdict_of(retry)).status_code == 201
    assert runner.complete(retry).status_code == 200
    assert outcomes(retry.submission_id) == {"acme/rms": "ACCEPTED", "acme/other": "ACCEPTED"}


def test_a_conclusive_retry_takes_over_and_ends_it(runner, retry, verdict_of, speed_case):
    runner.claim(retry)
    runner.discover(retry, "acme/rms")
    runner.send(retry, verdict_of(retry, cases=[speed_case(1.5, restarts=13)]))
    runner.complete(retry)
    assert in_force("acme/rms") == "ACCEPTED"
    assert Job.objects.filter(state="queued").count() == 0


def test_an_inconclusive_retry_neither_passes_nor_fails_who_passed(
    runner, at_work, verdict_of, speed_case
):
    runner.send(at_work, verdict_of(at_work, cases=[speed_case(1.2, restarts=5)]))
    settled = [speed_case(1.5, restarts=7)]
    runner.send(at_work, verdict_of(at_work, "acme/other", cases=settled))
    runner.complete(at_work)
    retry = Job.objects.get(retry=1)
    runner.claim(retry)
    runner.discover(retry, "acme/rms")
    assert runner.send(retry, verdict_of(retry, **NOISE)).status_code == 201
    runner.complete(retry)
    assert in_force("acme/rms") == "ACCEPTED"
    assert outcomes(retry.submission_id)["acme/rms"] == "ACCEPTED"
    shown = Client().get("/api/v1/operators/acme/rms").json()["operator"]
    assert (shown["code"], shown["best_speedup"]) == ("ACCEPTED", pytest.approx(1.2))
    ranked = [row["operator"] for row in Client().get("/api/v1/boards/norm.rms@1").json()["rows"]]
    assert sorted(ranked) == ["acme/other", "acme/rms"]


def test_waiting_grows_and_ends_after_the_last_try(runner, retry, verdict_of, settings):
    waits = []
    while retry is not None:
        waits.append(round((retry.not_before - timezone.now()).total_seconds(), -1))
        runner.claim(retry)
        runner.discover(retry, "acme/rms")
        runner.send(retry, verdict_of(retry, **NOISE))
        runner.complete(retry)
        retry = Job.objects.filter(state="queued").first()
    assert waits == list(settings.JUDGE_RETRY_S)
    assert in_force("acme/rms") == "INCONCLUSIVE_NOISE"


def test_the_submission_says_that_it_is_judged_again_and_when(runner, retry):
    told = state(retry.submission_id)["retry"]
    assert (told["operators"], told["state"]) == (["acme/rms"], "queued")
    address = f"/submissions/{retry.submission_id}/"
    page = Client().get(address).content.decode()
    assert "1 operator will be judged again at" in page
    assert f"{retry.not_before:%H:%M} UTC</time>: the machine was busy" in page
    make_due(retry)
    assert "again as soon as a runner is free" in Client().get(address).content.decode()
    runner.claim(retry)
    assert "1 operator is being judged again now" in Client().get(address).content.decode()


def test_the_story_goes_on_and_says_which_try_said_what(runner, retry):
    runner.claim(retry)
    events = Client().get(f"/api/v1/submissions/{retry.submission_id}/events").json()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    tries = [(event["kind"], event["retry"]) for event in events]
    assert tries[-3:] == [("completed", 0), ("queued", 1), ("claimed", 1)]
    page = Client().get(f"/submissions/{retry.submission_id}/").content.decode()
    stages = page.partition('<ol class="stages">')[2].partition("</ol>")[0]
    assert stages.count('class="done"') == 4
