"""The real web server, killed while an upload is on its way in."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from dougong_registry.serve import valkey


@pytest.fixture
def hub(tmp_path, database, broker):
    """A hub of one web process; its address, its token, and how to kill that process."""
    home = tmp_path / "home"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {
        **os.environ,
        "DOUGONG_HOME": str(home),
        "DOUGONG_DATABASE_URL": database,
        "DOUGONG_BROKER_URL": valkey.url(broker[1]),
        "WEB_CONCURRENCY": "1",
    }
    hub_command = [sys.executable, "-m", "dougong_registry"]
    for arguments in (["migrate"], ["token_create", "--login", "ada"]):
        done = subprocess.run(
            [*hub_command, *arguments], env=env, check=True, capture_output=True, text=True
        )
    token = re.search(r"dgp_\S+", done.stdout)[0]
    gunicorn = [
        *(sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}"),
        *("-c", "python:dougong_registry.serve.gunicorn_conf"),
    ]
    with (tmp_path / "web.log").open("w") as log:
        server = subprocess.Popen(gunicorn, env=env, stdout=log, stderr=log)
    found = Hub(port, token, server, home)
    yield found
    found.client.close()
    server.terminate()
    server.wait()


class Hub:
    def __init__(self, port, token, server, home):
        self.port, self.token, self.server, self.home = port, token, server, home
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
        self.headers = {"Authorization": f"Bearer {token}"}

    def up(self):
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            try:
                return self.client.get("/healthz")
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError("the web server never answered")

    def kill(self):
        """SIGKILL to the process at work; its master starts another."""
        pid = self.server.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)

    def submit(self, wheel):
        files = {"wheel": ("acme_rms-1.0-py3-none-any.whl", wheel)}
        return self.client.post("/api/v1/submissions", files=files, headers=self.headers)


@pytest.fixture
def wheel():
    import importlib.util

    path = Path(__file__).parents[1] / "api" / "conftest.py"
    spec = importlib.util.spec_from_file_location("made_of", path)
    made_of = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made_of)
    return made_of.wheel_bytes(**{f"much{n}.txt": "x" * (1 << 20) for n in range(4)})


def test_a_web_process_killed_in_an_upload_keeps_nothing_of_it(hub, wheel):
    hub.up()
    head = b'--x\r\nContent-Disposition: form-data; name="wheel"; filename="a.whl"\r\n\r\n'
    with socket.create_connection(("127.0.0.1", hub.port)) as half:
        half.sendall(
            f"POST /api/v1/submissions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {hub.token}\r\n"
            f"Content-Type: multipart/form-data; boundary=x\r\n"
            f"Content-Length: {len(head) + len(wheel)}\r\n\r\n".encode()
        )
        half.sendall(head + wheel[: len(wheel) // 2])
        time.sleep(0.5)
        hub.kill()
        half.settimeout(20)
        try:
            answer = half.recv(64)
        except ConnectionError:
            answer = b""
        assert answer == b""
    hub.up()
    assert hub.client.get("/api/v1/submissions/1").status_code == 404
    kept = [path for path in (hub.home / "artifacts").rglob("*") if path.is_file()]
    assert [path for path in kept if path.parent.name != "incoming"] == []
    assert hub.submit(wheel).status_code == 201
    assert hub.submit(wheel).status_code == 200
