from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dougong_ci.sandbox import cgroup
from dougong_ci.sandbox.errors import SandboxError

JOIN = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 125; shift; done; shift; exec "$@"'


@pytest.fixture
def hierarchy() -> cgroup.Hierarchy:
    found = cgroup.find()
    if found is None:
        pytest.skip("no control group can be made here: neither v1 nor a delegated v2 subtree")
    return found


def run(group: cgroup.Group, code: str) -> subprocess.Popen[str]:
    command = ["sh", "-c", JOIN, "sh", *group.doors, "--", sys.executable, "-c", code]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_time_and_memory_of_all_that_ran_inside_are_counted(hierarchy: cgroup.Hierarchy):
    group = cgroup.Group(hierarchy, memory_bytes=1 << 30, processes=16)
    code = """
import os, time
kept = bytearray(b"x") * (200 << 20)
if os.fork() == 0:
    while time.process_time() < 0.3: pass
    os._exit(0)
os.wait()
"""
    with run(group, code) as process:
        process.wait()
    used_s, peak_bytes = group.cpu_time_s(), group.peak_memory_bytes()
    group.close()
    assert used_s is not None
    assert 0.3 <= used_s < 10
    assert peak_bytes is None or 200 << 20 <= peak_bytes <= 1 << 30
    assert not any(folder.exists() for folder in group.folders)


def test_too_much_memory_is_a_death_inside_and_too_many_processes_an_error(
    hierarchy: cgroup.Hierarchy,
):
    group = cgroup.Group(hierarchy, memory_bytes=128 << 20, processes=4)
    with run(group, "bytearray(b'x') * (512 << 20)") as process:
        assert process.wait() == -signal.SIGKILL
    code = """
import os
for n in range(8):
    try:
        if os.fork() == 0: import time; time.sleep(20)
    except BlockingIOError:
        print(n, flush=True)
        break
"""
    with run(group, code) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == 3
        begin = time.monotonic()
        group.close()
    assert time.monotonic() - begin < 5
    assert not any(folder.exists() for folder in group.folders)


def test_groups_of_judges_that_are_gone_are_swept(hierarchy: cgroup.Hierarchy):
    gone = subprocess.Popen(["true"])
    gone.wait()
    base = next(iter(hierarchy.folders.values()))
    left = base / f"dougong-{gone.pid}-1-0"
    young = base / f"dougong-{gone.pid}-1-1"
    left.mkdir()
    young.mkdir()
    old = time.time() - 3600
    os.utime(left, (old, old))
    mine = cgroup.Group(hierarchy, memory_bytes=1 << 28, processes=4)
    cgroup.find()
    assert not left.exists()
    assert young.exists(), "it may be a judge's that this one cannot see"
    assert all(folder.exists() for folder in mine.folders)
    young.rmdir()
    mine.close()


def test_a_kernel_that_knows_no_limits_is_refused(tmp_path: Path):
    folders = dict.fromkeys(("memory", "pids"), tmp_path)
    with pytest.raises(SandboxError, match="control group"):
        cgroup.Group(cgroup.Hierarchy(2, folders), memory_bytes=1, processes=1)
    assert list(tmp_path.iterdir()) == []
