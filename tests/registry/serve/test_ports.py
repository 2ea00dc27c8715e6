from __future__ import annotations

import socket

import pytest

from dougong_registry.serve import ports
from dougong_registry.serve.errors import UpError, UsageError


def test_port_asked_for_is_taken_or_refused():
    first, said = ports.listen("127.0.0.1", 0)
    with first:
        port = first.getsockname()[1]
        assert said is None
        assert ports.url(first) == f"http://127.0.0.1:{port}"
        with pytest.raises(UpError, match=f"port {port} .* is taken.*--port 0"):
            ports.listen("127.0.0.1", port)
    again, _ = ports.listen("127.0.0.1", port)
    again.close()


def test_next_free_port_is_taken_aloud_when_none_was_asked_for(monkeypatch):
    taken, _ = ports.listen("127.0.0.1", 0)
    with taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports, "DEFAULT_PORT", port)
        bound, said = ports.listen("127.0.0.1", None)
        with bound:
            assert f"port {port} is taken, using {bound.getsockname()[1]}" in said


def test_address_of_another_machine_is_a_usage_error():
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1:0"):
        ports.listen("192.0.2.1", 0)


def test_hub_that_listens_everywhere_is_reached_by_loopback():
    bound, _ = ports.listen("0.0.0.0", 0)
    with bound:
        url = ports.url(bound)
        with socket.create_connection(("127.0.0.1", bound.getsockname()[1])):
            assert url.startswith("http://127.0.0.1:")
