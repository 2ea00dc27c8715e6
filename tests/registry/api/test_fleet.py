"""Which machine gets which job, whose turn it is, and how a job is taken back."""

from __future__ import annotations

import datetime as dt

from django.test import Client
from django.utils import timezone

from dougong_registry.audit.models import Entry
from dougong_registry.fleet.models import Capability
from dougong_registry.submissions.depth import queue_depths
from dougong_registry.submissions.dispatch import jobs_dispatch_waiting
from dougong_registry.submissions.models import Job, Submission

CPU = {"cpu": "cpu-a-2c"}
CUDA = {"cuda": "cuda-b"}


def beat(runner, hardware, **more):
    return runner.post("/api/v1/runners/heartbeat", {"hardware": hardware, **more})


def waiting(submission):
    told = Client().get(f"/api/v1/submissions/{submission}").json()["waiting"]
    page = Client().get(f"/submissions/{submission}/").content.decode()
    assert all(reason[1:] in page for reason in told)
    return told


def submit_many(submitter, wheel_of, prefix, count):
    for number in range(count):
        name = f"{prefix}-{number}"
        data = wheel_of(name)
        answer = submitter.submit(data, f"{name.replace('-', '_')}-1.0-py3-none-any.whl")
        assert answer.status_code == 201, answer.content


def test_a_job_that_no_machine_can_serve_waits_and_says_why(job, broker, another_runner):
    assert waiting(job.submission_id) == ["waiting for a runner with cpu; none is registered"]
    cuda = another_runner("cuda-1")
    assert beat(cuda, CUDA).status_code == 200
    assert jobs_dispatch_waiting() == []
    assert waiting(job.submission_id) == ["waiting for a runner with cpu; none is registered"]
    cpu = another_runner("cpu-1")
    beat(cpu, CPU)
    assert waiting(job.submission_id) == []
    assert jobs_dispatch_waiting() == [job.pk]


def test_a_machine_that_went_silent_or_leaves_is_not_counted_on(runner, job, broker):
    beat(runner, CPU, draining=True)
    assert waiting(job.submission_id) == [
        "waiting for a runner with cpu; those there are being taken down"
    ]
    assert jobs_dispatch_waiting() == []
    beat(runner, CPU)
    Capability.objects.update(seen_at=timezone.now() - dt.timedelta(minutes=2))
    assert "none was heard from for 60 s" in waiting(job.submission_id)[0]
    assert jobs_dispatch_waiting() == []


def test_a_machine_that_comes_back_is_sent_work_at_once(
    runner, job, broker, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        beat(runner, CPU)
    assert broker == [job.pk]


def test_the_hub_checks_again_who_claims(job, another_runner):
    cuda = another_runner("cuda-1")
    beat(cuda, CUDA)
    refused = cuda.claim(job)
    assert refused.status_code == 409
    assert "needs cpu" in refused.json()["detail"]
    Job.objects.update(hardware_class="cpu-other-8c")
    cpu = another_runner("cpu-1")
    beat(cpu, CPU)
    assert "cpu-other-8c" in cpu.claim(job).json()["detail"]
    assert Job.objects.get().state == "queued"


def test_a_heartbeat_names_devices_and_classes_that_can_be(runner):
    told = beat(runner, CPU).json()
    assert told["queues"][:2] == ["judge.cpu.cpu-a-2c.high", "judge.cpu.high"]
    assert beat(runner, {"tpu": "x"}).status_code == 422
    assert beat(runner, {}).status_code == 422
    assert beat(runner, {"cpu": "A B"}).status_code == 422


def test_operators_of_another_device_get_a_job_of_their_own(runner, job, another_runner, broker):
    runner.claim(job)
    operators = [
        {
            "name": name,
            "contract": "norm.rms@1",
            "target": "acme_rms:rms",
            "devices": devices,
            "dtypes": ["float32"],
            "gradients": "none",
        }
        for name, devices in (("acme/rms", ["cpu", "cuda"]), ("acme/other", ["cpu"]))
    ]
    for _ in range(2):
        told = runner.tell(job, {"kind": "discovered", "operators": operators})
        assert told.status_code == 200
    cuda_job = Job.objects.get(device="cuda")
    assert (cuda_job.operators, cuda_job.state) == (["acme/rms"], "queued")
    assert waiting(job.submission_id) == ["waiting for a runner with cuda; none is registered"]
    assert runner.claim(cuda_job).status_code == 409
    cuda = another_runner("cuda-1")
    beat(cuda, CUDA)
    assert jobs_dispatch_waiting() == [cuda_job.pk]
    order = cuda.claim(cuda_job).json()
    assert (order["device"], order["operators"]) == ("cuda", ["acme/rms"])
    # However it ends, the submission goes by its first job.
    cuda.complete(cuda_job, "failed", "no driver")
    assert Submission.objects.get().state == "judging"


def test_authors_take_turns(ada, another_submitter, runner, wheel_of, broker):
    beat(runner, CPU)
    bob = another_submitter("bob")
    submit_many(ada, wheel_of, "acme", 12)
    submit_many(bob, wheel_of, "bolt", 1)
    first = jobs_dispatch_waiting()
    authors = [Job.objects.get(pk=pk).submission.submitter.login for pk in first]
    assert authors == ["ada", "bob"]
    assert jobs_dispatch_waiting() == []


def test_nobody_has_more_under_way_than_the_limit(ada, another_runner, wheel_of, broker, settings):
    settings.JOBS_PER_AUTHOR = 3
    for number in range(4):
        beat(another_runner(f"cpu-{number}"), CPU)
    submit_many(ada, wheel_of, "acme", 6)
    assert len(jobs_dispatch_waiting()) == 3
    assert jobs_dispatch_waiting() == []


def test_a_job_handed_back_goes_out_first_and_costs_no_attempt(
    runner, job, ada, wheel_of, broker, settings
):
    settings.JOB_ATTEMPTS = 1
    beat(runner, CPU)
    runner.claim(job)
    body = {"nonce": job.nonce, "reason": "the machine is being taken down"}
    assert runner.post(f"/api/v1/jobs/{job.pk}/hand-back", body).json() == {"state": "queued"}
    assert runner.tell(job, {"kind": "progress"}).status_code == 409
    again = Job.objects.get()
    assert (again.priority, again.handed_back) == ("high", 1)
    submit_many(ada, wheel_of, "acme", 1)
    assert jobs_dispatch_waiting()[0] == job.pk
    assert runner.claim(again).status_code == 200


def test_depth_tells_queues_ages_and_what_is_judged(runner, job, ada, wheel_of, aged):
    submit_many(ada, wheel_of, "acme", 2)
    before = timezone.now() - dt.timedelta(seconds=90)
    aged(Job.objects.exclude(pk=job.pk), created_at=before)
    runner.claim(job)
    (depth,) = queue_depths()
    assert (depth.queue, depth.waiting, depth.judging) == ("judge.cpu", 2, 1)
    assert 90 <= depth.oldest_s < 120


def cancel(submitter, submission):
    return submitter.client.post(
        f"/api/v1/submissions/{submission}/cancel",
        headers={"Authorization": f"Bearer {submitter.token}"},
    )


def test_a_submitter_takes_a_submission_back_and_the_runner_is_told(
    runner, job, ada, another_submitter
):
    runner.claim(job)
    assert cancel(another_submitter("bob"), job.submission_id).status_code == 403
    assert Client().post(f"/api/v1/submissions/{job.submission_id}/cancel").status_code == 401
    gone = cancel(ada, job.submission_id).json()
    assert (gone["state"], gone["error"]) == ("failed", "cancelled by ada")
    assert runner.discover(job).status_code == 409
    assert cancel(ada, job.submission_id).status_code == 409
    assert cancel(ada, 999_999).status_code == 404
    assert Entry.objects.filter(verb="submission.cancelled").count() == 1
