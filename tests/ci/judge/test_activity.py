from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from dougong_ci.judge import activity

BURN = """
import sys, time
begin = time.process_time()
while time.process_time() - begin < 0.3:
    pass
print("burnt", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def burner():
    """A process that has used 0.3 s of processor and now sleeps."""
    with subprocess.Popen(
        [sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "burnt\n"
        yield process
        process.kill()


def test_processor_time_is_read_from_outside(burner):
    assert 0.25 <= activity.usage([burner.pid]).cpu_s < 5
    again = activity.usage([burner.pid]).cpu_s
    time.sleep(0.1)
    assert activity.usage([burner.pid]).cpu_s - again <= 0.02


def test_the_processors_open_to_a_process_are_those_it_was_pinned_to():
    mine = os.sched_getaffinity(0)
    pin = f"import os; os.sched_setaffinity(0, {{{min(mine)}}})\n"
    with subprocess.Popen(
        [sys.executable, "-c", pin + BURN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert activity.processors([process.pid]) == {min(mine)}
        assert activity.processors([process.pid, os.getpid()]) == mine
        process.kill()


def test_what_a_child_used_stays_on_the_books_when_it_is_gone():
    before = activity.usage([os.getpid()]).cpu_s
    subprocess.run([sys.executable, "-c", BURN], input="", text=True, check=True)
    assert activity.usage([os.getpid()]).cpu_s - before >= 0.25


def test_descendants_are_found_however_deep(burner):
    assert burner.pid in activity.descendants(os.getpid())
    assert activity.descendants(burner.pid) == []


def test_peak_memory_covers_what_was_freed():
    code = "b = bytearray(80 << 20); del b; print('x', flush=True); import sys; sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert activity.peak_bytes(process.pid) >= 80 << 20
        process.kill()


def test_a_thread_that_waits_for_its_processor_is_seen():
    if not activity.kept():
        pytest.skip("this kernel keeps no scheduler statistics")
    mine = sorted(os.sched_getaffinity(0))
    code = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nprint('x', flush=True)\n"
    with subprocess.Popen(
        [sys.executable, "-c", code + "while True: pass", str(mine[0])], stdout=subprocess.PIPE
    ) as hog:
        assert hog.stdout is not None
        hog.stdout.readline()
        os.sched_setaffinity(0, {mine[0]})
        try:
            before = activity.thread_waited_s(threading.get_native_id())
            end = time.perf_counter() + 1.0
            while time.perf_counter() < end:
                pass
            assert activity.thread_waited_s(threading.get_native_id()) - before > 0.2
        finally:
            os.sched_setaffinity(0, set(mine))
            hog.kill()


def test_processes_that_are_gone_count_nothing():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert activity.usage([gone.pid]) == activity.Usage(0.0, 0.0)
    assert activity.peak_bytes(gone.pid) == 0
    assert activity.descendants(gone.pid) == []
