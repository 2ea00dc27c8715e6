"""What the hub says of itself: to a load balancer, and to Prometheus."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
import yaml
from django.db import connection
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from dougong_registry.api import health
from dougong_registry.submissions.models import Job

ROOT = Path(__file__).resolve().parents[3]
TOKEN = {"Authorization": "Bearer let-me-in"}


@pytest.fixture(autouse=True)
def token(settings):
    settings.DOUGONG_METRICS_TOKEN = "let-me-in"


def scrape(**wanted: str) -> dict[str, float]:
    """Values by metric name, of the samples that have the wanted labels."""
    answer = Client().get("/metrics", headers=TOKEN)
    assert answer.status_code == 200
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
        if wanted.items() <= sample.labels.items()
    }


ORDINARY = {"device": "cpu", "hardware_class": "", "priority": "normal"}


def test_the_queue_is_told_by_kind_of_machine_priority_and_state(job, runner):
    assert scrape(**ORDINARY, state="queued")["dougong_queue_jobs"] == 1
    assert scrape(**ORDINARY)["dougong_queue_oldest_seconds"] > 0
    runner.claim(job)
    assert scrape(**ORDINARY, state="leased")["dougong_queue_jobs"] == 1
    assert scrape(**ORDINARY, state="queued")["dougong_queue_jobs"] == 0
    assert scrape(**ORDINARY)["dougong_queue_oldest_seconds"] == 0
    assert scrape()["dougong_leases_expired"] == 0
    Job.objects.update(lease_expires_at="2026-01-01T00:00:00Z")
    assert scrape()["dougong_leases_expired"] == 1
    assert scrape(runner="cpu-1")["dougong_runner_last_seen_timestamp_seconds"] > 1.7e9


def test_a_retry_before_its_time_waits_and_asks_for_no_judge(job):
    soon = timezone.now() + dt.timedelta(minutes=5)
    retry = {"hardware_class": "cpu-test", "priority": "low"}
    again = {"retry": 1, "cause": "retry", "not_before": soon}
    Job.objects.create(submission=job.submission, device="cuda", nonce="n", **again, **retry)
    assert scrape(**retry, device="cuda", state="waiting")["dougong_queue_jobs"] == 1
    assert scrape(**retry, device="cuda", state="queued")["dougong_queue_jobs"] == 0
    assert scrape(**retry)["dougong_queue_oldest_seconds"] == 0


def test_the_autoscaling_example_asks_for_what_there_is(job):
    manifest = (ROOT / "deploy" / "kubernetes" / "autoscale.yaml").read_text()
    query = yaml.safe_load(manifest)["spec"]["triggers"][0]["metadata"]["query"]
    assert query in (ROOT / "docs" / "deploy.md").read_text()
    metric = re.search(r"(\w+)\{", query).group(1)
    families = text_string_to_metric_families(
        Client().get("/metrics", headers=TOKEN).content.decode()
    )
    samples = [sample for family in families for sample in family.samples if sample.name == metric]
    grouped = set(re.search(r"by \(([^)]+)\)", query).group(1).split(", "))
    assert {frozenset(sample.labels) for sample in samples} == {frozenset(grouped)}
    wanted = re.search(r'state=~"([^"]+)"', query).group(1).split("|")
    assert set(wanted) <= {sample.labels["state"] for sample in samples}


def test_verdicts_and_those_refused_are_counted(job, runner, verdict_of):
    runner.claim(job)
    runner.discover(job)
    verdict = verdict_of(job)
    verdict.scores[0].speedup += 1
    assert runner.send(job, verdict).status_code == 422
    assert scrape()["dougong_verdicts_refused"] == 1
    assert scrape(outcome="passed")["dougong_verdicts"] == 0
    assert runner.send(job, verdict_of(job)).status_code == 201
    assert scrape(outcome="passed")["dougong_verdicts"] == 1
    before = scrape()["dougong_audit_head_seq"]
    assert runner.complete(job).status_code == 200
    assert scrape()["dougong_audit_head_seq"] > before
    assert scrape()["dougong_store_bytes"] == job.submission.release.artifact.size_bytes


def test_requests_are_measured_by_route_and_never_by_address():
    boards = {"route": "boards/<str:contract>/", "method": "GET", "status": "404"}
    before = scrape(**boards).get("dougong_request_seconds_count", 0)
    for name in ("eve-1", "eve-2"):
        Client().get(f"/boards/{name}/")
    assert scrape(**boards)["dougong_request_seconds_count"] == before + 2
    answer = Client().get("/metrics", headers=TOKEN).content.decode()
    assert "eve-1" not in answer


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("10.0.0.5", {}, 200),
        ("10.0.0.6", {}, 403),
        ("10.0.0.5", {"X-Forwarded-For": "1.2.3.4"}, 403),
        ("10.0.0.6", {"Authorization": "Bearer let-me-i"}, 403),
        ("10.0.0.6", TOKEN, 200),
    ],
)
def test_only_the_token_or_an_allowed_address_opens_it(settings, address, headers, status):
    settings.DOUGONG_METRICS_ALLOW = ["10.0.0.5"]
    answer = Client(REMOTE_ADDR=address).get("/metrics", headers=headers)
    assert answer.status_code == status


def test_it_is_closed_until_somebody_is_let_in(settings):
    settings.DOUGONG_METRICS_TOKEN = ""
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": ""}):
        assert Client().get("/metrics", headers=headers).status_code == 403


def test_ready_without_a_broker_and_says_so():
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["migrations"] == "ok"
    assert answer.json()["broker"] != "ok"


def test_not_ready_where_the_store_takes_nothing(folder):
    (folder / "artifacts").write_text("a file where the folder should be")
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["storage"]) == (503, "FileExistsError")


def test_not_ready_before_it_is_migrated():
    health._refuse_unapplied.cache_clear()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'runs'")
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert "run `dougong-hub migrate`" in answer.json()["migrations"]
