"""The supervisor with stand-in children: deaths, signals, orders."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from dougong_registry.serve.child import Spec
from dougong_registry.serve.errors import UpError
from dougong_registry.serve.supervisor import Supervisor

# A supervisor of shell children, as `dougong up` is one of real servers. Each further argument is
# name=shell command; it says its own name once it has started them all.
HOST = """
    import os, sys
    from pathlib import Path
    from dougong_registry.serve.child import Spec
    from dougong_registry.serve.errors import StopRequested
    from dougong_registry.serve.supervisor import Supervisor

    folder, grace_s = Path(sys.argv[1]), float(sys.argv[2])
    supervisor = Supervisor(lambda text: print(text, flush=True))
    supervisor.listen()
    names = []
    for argument in sys.argv[3:]:
        name, _, command = argument.partition("=")
        names.append(name)
        supervisor.start(Spec(name=name, argv=("sh", "-c", command), env=os.environ,
                              log=folder / name, cwd=folder, grace_s=grace_s))
    print("started", flush=True)
    try:
        supervisor.wait(1000)
    except StopRequested:
        supervisor.stop(names)
        print("stopped", flush=True)
"""
STUBBORN = "trap '' TERM INT HUP; echo deaf; while :; do sleep 1000; done"


def spec(folder: Path, command: str, **changes: object) -> Spec:
    values = {
        "name": "child",
        "argv": ("sh", "-c", command),
        "env": os.environ,
        "log": folder / "log",
        "cwd": folder,
    }
    return Spec(**{**values, **changes})


def test_child_that_is_killed_is_started_again(tmp_path, until):
    said: list[str] = []
    log = tmp_path / "log"
    supervisor = Supervisor(said.append)
    child = supervisor.start(spec(tmp_path, "echo life; exec sleep 1000"))
    try:
        for lives in (1, 2):
            wanted = "life\n" * lives
            until(lambda: supervisor.wait(0.02) or log.read_text() == wanted, "a life")  # noqa: B023
            os.kill(child.pid, signal.SIGKILL)
        until(lambda: supervisor.wait(0.02) or log.read_text() == "life\n" * 3, "the third life")
        assert child.restarts == 2
        assert "SIGKILL" in said[0]
    finally:
        supervisor.stop([])
    assert supervisor.children == {}


def test_child_that_dies_at_once_is_an_error_with_the_end_of_its_log(tmp_path):
    supervisor = Supervisor(lambda _: None)
    child = supervisor.start(spec(tmp_path, "echo no such module; exit 3"))
    with pytest.raises(UpError, match=r"(?s)child ends as soon as it starts.*no such module"):
        supervisor.until(lambda: False, child, timeout_s=60)
    supervisor.stop([])


def test_child_that_is_never_ready_is_an_error(tmp_path):
    supervisor = Supervisor(lambda _: None)
    child = supervisor.start(spec(tmp_path, "echo waiting; exec sleep 1000"))
    with pytest.raises(UpError, match="not ready after 0 s"):
        supervisor.until(lambda: False, child, timeout_s=0.2)
    supervisor.stop([])


def test_death_of_a_child_takes_its_whole_group_along(tmp_path, processes, until):
    supervisor = Supervisor(lambda _: None)
    command = "[ -e again ] && exec sleep 1001; touch again; sleep 1000 & sleep 1000"
    child = supervisor.start(spec(tmp_path, command, env=processes.env))
    until(lambda: len(processes.alive()) == 3, "a shell with two children")
    os.kill(child.pid, signal.SIGKILL)
    until(
        lambda: supervisor.wait(0.02) or [*processes.alive().values()] == ["sleep 1001 "],
        "only the new life is left",
    )
    supervisor.stop([])
    assert processes.alive() == {}


def test_run_returns_the_exit_status_and_a_late_one_is_killed(tmp_path, processes, until):
    supervisor = Supervisor(lambda _: None)
    assert supervisor.run(spec(tmp_path, "exit 5"), timeout_s=60) == 5
    with pytest.raises(UpError, match="took over 0 s"):
        supervisor.run(spec(tmp_path, "sleep 1000", env=processes.env), timeout_s=0.1)
    until(lambda: processes.alive() == {}, "what the killed shell had started is gone too")


def test_sigkill_of_the_supervisor_leaves_no_process(tmp_path, processes, until):
    host = processes.start(HOST, tmp_path, 5, f"deaf={STUBBORN}", "other=exec sleep 1000")
    assert host.stdout.readline() == "started\n"
    until(lambda: (tmp_path / "deaf").exists() and "deaf" in (tmp_path / "deaf").read_text(), "up")
    leaders = [pid for pid in processes.alive() if os.getsid(pid) == pid and pid != host.pid]
    assert len(leaders) == 2
    host.kill()
    host.wait()
    until(lambda: not set(leaders) & set(processes.alive()), "both children are gone")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_stops_children_in_the_order_asked_for(tmp_path, processes, until, number):
    command = "trap 'echo {0} >> order; exit' TERM; echo up; while :; do sleep 0.05; done"
    names = ("web", "worker", "valkey")
    host = processes.start(HOST, tmp_path, 20, *(f"{n}={command.format(n)}" for n in names))
    assert host.stdout.readline() == "started\n"
    until(lambda: all((tmp_path / name).read_text() == "up\n" for name in names), "traps are set")
    host.send_signal(number)
    assert host.communicate(timeout=30)[0] == "stopped\n"
    assert host.returncode == 0
    assert (tmp_path / "order").read_text().split() == list(names)
    assert processes.alive() == {}


def test_child_deaf_to_sigterm_is_killed_when_its_grace_is_over(tmp_path, processes, until):
    host = processes.start(HOST, tmp_path, 0.3, f"deaf={STUBBORN}")
    until(lambda: (tmp_path / "deaf").exists() and "deaf" in (tmp_path / "deaf").read_text(), "up")
    host.terminate()
    assert "stopped" in host.communicate(timeout=30)[0]
    assert processes.alive() == {}


def test_second_signal_kills_at_once(tmp_path, processes, until):
    host = processes.start(HOST, tmp_path, 3600, f"deaf={STUBBORN}")
    until(lambda: (tmp_path / "deaf").exists() and "deaf" in (tmp_path / "deaf").read_text(), "up")
    host.send_signal(signal.SIGINT)
    with pytest.raises(Exception, match="timed out"):
        host.communicate(timeout=1)
    host.send_signal(signal.SIGINT)
    assert "stopped" in host.communicate(timeout=30)[0]
    assert processes.alive() == {}
