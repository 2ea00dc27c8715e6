"""What `dougong up` refuses before it starts anything."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def up(*arguments, cwd):
    return subprocess.run(
        [Path(sys.executable).with_name("dougong"), "up", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "DOUGONG_HOME": str(cwd / "default")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_option(tmp_path):
    done = up("--help", cwd=tmp_path)
    assert done.returncode == 0
    for option in ("--home", "--port", "--submit", "--until-judged", "--no-worker", "--broker"):
        assert option in done.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--until-judged"], "add --submit PATH"),
        (["--submit", "missing"], "there is no such folder or wheel"),
        (["--port", "70000"], "65535"),
    ],
)
def test_bad_option_is_one_line_and_starts_nothing(tmp_path, arguments, reason):
    done = up(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "default").exists()


def test_taken_port_is_an_error_with_the_way_out(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = up("--port", port, "--home", tmp_path / "state", cwd=tmp_path)
    assert done.returncode == 1
    assert f"port {port} of 127.0.0.1 is taken" in done.stderr
    assert "--port 0" in done.stderr


def test_module_of_the_command_loads_no_django_and_no_torch():
    program = (
        "import sys, dougong_registry.cli; "
        "print([name for name in ('django', 'celery', 'torch', 'dougong', 'httpx') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
