"""What the hub says of itself: to a load balancer, and to Prometheus."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from dougong_registry.api import health
from dougong_registry.submissions.models import Job

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


def test_the_queue_is_told_by_state(job, runner):
    assert scrape(state="queued")["dougong_queue_jobs"] == 1
    assert scrape()["dougong_queue_oldest_seconds"] > 0
    runner.claim(job)
    assert scrape(state="leased")["dougong_queue_jobs"] == 1
    assert "dougong_queue_jobs" not in scrape(state="queued")
    assert scrape()["dougong_queue_oldest_seconds"] == 0
    assert scrape()["dougong_leases_expired"] == 0
    Job.objects.update(lease_expires_at="2026-01-01T00:00:00Z")
    assert scrape()["dougong_leases_expired"] == 1
    assert scrape(runner="cpu-1")["dougong_runner_last_seen_timestamp_seconds"] > 1.7e9


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
        cursor.execute("DELETE FROM django_migrations WHERE app = 'runs' AND name LIKE '0003%'")
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert "run `dougong-hub migrate`" in answer.json()["migrations"]
