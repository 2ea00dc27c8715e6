"""Two web processes, one answer: what each counted is added up, whichever of them is asked."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dougong_registry.serve import ports


@pytest.fixture
def web(tmp_path):
    """The hub itself under gunicorn; gives its port."""
    bound, _ = ports.listen("127.0.0.1", 0)
    env = {
        **os.environ,
        "DOUGONG_HOME": str(tmp_path),
        "DOUGONG_DATABASE_URL": f"sqlite:///{tmp_path / 'hub.sqlite3'}",
        "DOUGONG_METRICS_ALLOW": "127.0.0.1",
        "DOUGONG_DEBUG": "1",
        "WEB_CONCURRENCY": "2",
    }
    migrate = [sys.executable, "-m", "dougong_registry", "migrate", "-v", "0"]
    subprocess.run(migrate, env=env, check=True)
    conf = "python:dougong_registry.serve.gunicorn_conf"
    command = [sys.executable, "-m", "gunicorn", "-c", conf, "-b", f"fd://{bound.fileno()}"]
    with bound, (tmp_path / "web.log").open("wb") as log:
        pass_fds = (bound.fileno(),)
        with subprocess.Popen(command, env=env, pass_fds=pass_fds, stderr=log) as server:
            yield bound.getsockname()[1]
            server.terminate()


def get(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    body = connection.getresponse().read().decode()
    connection.close()
    return body


def counted(port: int) -> float:
    families = text_string_to_metric_families(get(port, "/metrics"))
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "dougong_request_seconds_count" and sample.labels["route"] == "healthz"
    )


def test_requests_of_all_processes_are_added_up(web):
    deadline = time.monotonic() + 30
    sent = 40
    for _ in range(sent):
        get(web, "/healthz")
    # The last request is counted just after it was answered.
    while (found := counted(web)) < sent and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == sent
    assert [counted(web) for _ in range(10)] == [sent] * 10
