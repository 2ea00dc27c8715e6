"""The embedded broker as it is: a real server."""

from __future__ import annotations

import os
import signal
import stat

import pytest
import redis

from dougong_registry.serve import valkey
from dougong_registry.serve.supervisor import Supervisor


@pytest.fixture
def broker(tmp_path, processes):
    """Start brokers on one folder, one after the other, as `dougong up` does."""
    address = tmp_path / "s"
    supervisor = Supervisor(lambda _: None)

    def start():
        child = supervisor.start(
            valkey.spec(folder=tmp_path, address=address, log=tmp_path / "log", env=processes.env)
        )
        supervisor.until(lambda: valkey.answers(address), child, timeout_s=30)
        return child

    start.supervisor, start.address = supervisor, address
    yield start
    supervisor.stop([])


def client(broker):
    return redis.Redis(unix_socket_path=str(broker.address))


def test_server_is_private_and_off_the_network(broker):
    assert not valkey.answers(broker.address)
    broker()
    assert stat.S_IMODE(broker.address.stat().st_mode) == 0o700
    with client(broker) as connection:
        assert connection.config_get("port") == {"port": "0"}


def test_queue_outlives_a_sigkill_of_the_server(broker, until):
    child = broker()
    with client(broker) as connection:
        connection.lpush("judge.cpu", "job")
        os.kill(child.pid, signal.SIGKILL)
    until(
        lambda: broker.supervisor.wait(0.02) or (child.restarts and valkey.answers(broker.address)),
        "the broker is back",
    )
    with client(broker) as connection:
        assert connection.lrange("judge.cpu", 0, -1) == [b"job"]


def test_queue_outlives_an_orderly_end(broker, processes):
    broker()
    with client(broker) as connection:
        connection.lpush("judge.cpu", "job")
    broker.supervisor.stop(["valkey"])
    assert processes.alive() == {}
    assert not broker.address.exists()
    broker()
    with client(broker) as connection:
        assert connection.lrange("judge.cpu", 0, -1) == [b"job"]


def test_socket_of_a_dead_server_is_in_nobodys_way(broker):
    broker.address.touch()
    broker()
    assert stat.S_ISSOCK(broker.address.stat().st_mode)


def test_sigkill_of_the_supervisor_ends_the_server(tmp_path, processes, until):
    program = """
        import os, sys
        from pathlib import Path
        from dougong_registry.serve import valkey
        from dougong_registry.serve.supervisor import Supervisor
        folder = Path(sys.argv[1])
        supervisor = Supervisor(print)
        child = supervisor.start(valkey.spec(folder=folder, address=folder / "s",
                                             log=folder / "log", env=os.environ))
        supervisor.until(lambda: valkey.answers(folder / "s"), child, timeout_s=30)
        print("up", flush=True)
        supervisor.wait(1000)
    """
    host = processes.start(program, tmp_path)
    assert host.stdout.readline() == "up\n"
    assert len(processes.alive()) == 2
    host.kill()
    host.communicate()
    until(lambda: processes.alive() == {}, "no orphan")
