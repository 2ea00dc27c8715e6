"""The real worker, over HTTP, at a retry: it judges what was asked for and nothing else."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from django.utils import timezone

from dougong_registry.runs.models import Run
from dougong_registry.submissions.models import Job

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.django_db(transaction=True),
    # The live server starts before a test can name a static folder; no page is asked for.
    pytest.mark.filterwarnings("ignore:No directory at:UserWarning"),
]

HOOKS = """
import dougong


@dougong.hookimpl
def dougong_register_norm():
    return [
        dougong.Operator(
            name=name,
            contract="norm.rms@1",
            target="acme_zeros:zeros",
            gradients="first",
            paper="arXiv:1910.07467",
            reference="acme_zeros:zeros",
        )
        for name in ("acme/rms", "acme/other")
    ]
"""
ZEROS = """
import torch


def zeros(x, weight=None, *, eps):
    return torch.zeros_like(x)
"""


@pytest.fixture
def job(ada, wheel_of):
    wheel = wheel_of(**{"acme_rms.py": HOOKS, "acme_zeros.py": ZEROS})
    return Job.objects.get(submission_id=ada.submit(wheel).json()["id"])


@pytest.fixture
def retry(runner, job, verdict_of, speed_case):
    """`acme/rms` met a busy machine, and its time has come again; `acme/other` is settled."""
    runner.claim(job)
    runner.discover(job, "acme/rms", "acme/other")
    runner.send(job, verdict_of(job, outcome="inconclusive", code="INCONCLUSIVE_NOISE"))
    runner.send(job, verdict_of(job, "acme/other", cases=[speed_case(1.5, restarts=7)]))
    runner.complete(job)
    Job.objects.filter(retry=1).update(not_before=timezone.now() - dt.timedelta(seconds=1))
    return Job.objects.get(retry=1)


def test_a_worker_judges_the_operators_of_a_retry_with_its_profile(
    runner, retry, live_server, tmp_path, monkeypatch
):
    from dougong_ci.worker.job import perform

    key = tmp_path / "runner.pem"
    key.write_text(runner.private)
    monkeypatch.setenv("DOUGONG_RUNNER_KEY", str(key))
    perform(retry.pk, retry.nonce, live_server.url)

    retry.refresh_from_db()
    assert (retry.state, retry.submission.state) == ("done", "judged")
    (run,) = Run.objects.filter(job=retry)
    assert (run.operator.name, run.code) == ("acme/rms", "REJECTED_ACCURACY")
    judge = json.loads(run.payload)["judge"]
    assert judge["profile"] == "standard"
    assert judge["repeat"].endswith("--profile standard --operator acme/rms")
    assert Run.objects.get(operator__name="acme/other").code == "ACCEPTED"
    assert Job.objects.filter(state="queued").count() == 0
