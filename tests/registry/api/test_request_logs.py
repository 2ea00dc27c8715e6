"""The log of requests: every line is JSON, names its request, and holds no secret."""

from __future__ import annotations

import io
import json
import logging

import pytest
from django.test import Client

from dougong_registry.logs.formats import JsonFormatter
from dougong_registry.submissions.models import Job


@pytest.fixture
def log():
    """Everything that any logger writes, as `DOUGONG_LOG=json` writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    requests, root = logging.getLogger("dougong.request"), logging.getLogger()
    before = (requests.level, root.level)
    requests.setLevel(logging.INFO)
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    requests.setLevel(before[0])
    root.setLevel(before[1])


def test_a_request_is_one_line_with_its_name(log):
    answer = Client().get("/api/v1/boards?q=secret", headers={"X-Request-ID": "abc-1.2_3"})
    assert answer["X-Request-ID"] == "abc-1.2_3"
    (line,) = (line for line in log() if line["logger"] == "dougong.request")
    assert line.pop("duration_ms") > 0
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "dougong.request",
        "message": "GET /api/v1/boards 200",
        "request_id": "abc-1.2_3",
        "method": "GET",
        "path": "/api/v1/boards",
        "status": 200,
    }


@pytest.mark.parametrize("name", ["", "a b", 'x"}', "x" * 65, "ä"])
def test_a_name_that_is_not_plain_is_replaced(log, name):
    answer = Client().get("/healthz", headers={"X-Request-ID": name})
    assert len(answer["X-Request-ID"]) == 32
    assert answer["X-Request-ID"] != Client().get("/healthz")["X-Request-ID"]


def test_what_happens_inside_bears_the_name_of_the_request(log):
    Client().get("/api/v1/nothing", headers={"X-Request-ID": "find-me"})
    inside = [line for line in log() if line["logger"] == "django.request"]
    assert [line["request_id"] for line in inside] == ["find-me"]


def test_an_exception_is_in_one_line(log):
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("anything").exception("it failed")
    (line,) = log()
    assert "two\nlines" in line["exception"]
    assert "request_id" not in line


def test_no_secret_is_ever_written(ada, runner, job, verdict_of, log):
    """A whole submission and several refusals, at the most talkative level there is."""
    ada.submit(b"not a wheel")
    ada.client.get("/api/v1/boards", headers={"Authorization": f"Bearer {ada.token}"})
    Client().post("/api/v1/submissions", headers={"Authorization": f"Bearer {ada.token}x"})
    nonce = job.nonce
    runner.claim(job)
    runner.discover(job)
    sent = runner.send(job, verdict_of(job))
    assert sent.status_code == 201
    runner.record(job, {"payload": "{}", "key_id": "x", "signature": "a forged signature"})
    runner.complete(job)
    signatures = list(job.runs.values_list("signature", flat=True))
    written = json.dumps(log(), ensure_ascii=False)
    assert len(log()) > 6
    nonces = {nonce, *Job.objects.values_list("nonce", flat=True)}
    for secret in (ada.token, *nonces, *signatures, "a forged signature"):
        assert secret not in written
