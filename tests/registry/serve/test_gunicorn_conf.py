from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import sys

import pytest

from dougong_registry.serve import ports
from dougong_registry.serve.child import Spec
from dougong_registry.serve.supervisor import Supervisor

APP = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here"]
"""


@pytest.fixture
def web(tmp_path, processes, until):
    """Gunicorn with the hub's configuration and a stand-in application, on an inherited socket."""
    (tmp_path / "standin.py").write_text(APP)
    bound, _ = ports.listen("127.0.0.1", 0)
    supervisor = Supervisor(lambda _: None)
    address = f"fd://{bound.fileno()}"
    conf = "python:dougong_registry.serve.gunicorn_conf"
    child = supervisor.start(
        Spec(
            name="web",
            argv=(sys.executable, "-m", "gunicorn", "-c", conf, "-b", address, "standin:app"),
            env=processes.env,
            log=tmp_path / "web.log",
            cwd=tmp_path,
            descriptors=(bound.fileno(),),
        )
    )
    child.bound = bound
    child.supervisor = supervisor
    with bound:
        until(lambda: supervisor.wait(0.05) or len(processes.alive()) == 3, "master, two processes")
        yield child
        supervisor.stop([])
    assert processes.alive() == {}


def get(child) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", child.bound.getsockname()[1], timeout=30)
    connection.request("GET", "/")
    body = connection.getresponse().read()
    connection.close()
    return body


def test_requests_wait_while_a_killed_server_is_started_again(web, processes, until):
    assert get(web) == b"here"
    old = set(processes.alive())
    os.kill(web.pid, signal.SIGKILL)
    until(lambda: not old & set(processes.alive()), "master and its processes are gone")
    web.supervisor.wait(1.0)
    assert get(web) == b"here"
    assert web.restarts == 1


def test_connections_that_say_nothing_hold_nobody_up(web):
    address = ("127.0.0.1", web.bound.getsockname()[1])
    with contextlib.ExitStack() as stack:
        # Twice as many as there are threads; each would keep one for five seconds.
        silent = [stack.enter_context(socket.create_connection(address)) for _ in range(16)]
        connection = http.client.HTTPConnection(*address, timeout=3)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"here"
        connection.close()
        # One that speaks late is answered all the same.
        silent[0].sendall(b"GET / HTTP/1.0\r\n\r\n")
        silent[0].settimeout(30)
        assert silent[0].recv(65536).startswith(b"HTTP/1.0 200")
